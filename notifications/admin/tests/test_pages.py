"""Every page of the admin: who may see the page, and what no page shows or changes."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from notifications import models
from notifications.models import DeviceToken

from .rows import SECRET, batch, delivery, listener, listing, notification, staff, superuser
from .rows import worker as active_worker

pytestmark = pytest.mark.django_db

MODELS = ["batch", "delivery", "devicetoken", "notification", "workerlease"]
WRITES = ["live", "dry-run", "pause", "resume"]


@pytest.fixture
def rows() -> dict[str, int]:
    """Return the number of a row of each model."""
    posted, device = notification(), listener("lena")
    return {
        "batch": batch(posted, [device.id]).pk,
        "delivery": delivery(posted, device).pk,
        "devicetoken": device.pk,
        "notification": posted.pk,
        "workerlease": active_worker().pk,
    }


def pages(rows: dict[str, int]) -> list[str]:
    """Return every address of the app's admin that shows something."""
    return [
        reverse("admin:app_list", args=["notifications"]),
        listing("sendingswitch"),
        *(listing(model) for model in rows),
        *(
            reverse(f"admin:notifications_{model}_{view}", args=[pk])
            for model, pk in rows.items()
            for view in ("change", "history")
        ),
    ]


def test_every_model_has_its_page() -> None:
    registered = {model for model in admin.site._registry if model.__module__.startswith("notif")}

    # What is erased has none, and a test is told on its device's.
    without = {models.ErasedDevice, models.TestPush}
    assert registered == {getattr(models, name) for name in models.__all__} - without


def test_a_superuser_sees_every_page(rows: dict[str, int]) -> None:
    client = superuser()

    assert {page: client.get(page).status_code for page in pages(rows)} == dict.fromkeys(
        pages(rows), 200
    )


def test_staff_who_may_only_look_see_every_page_and_no_action(rows: dict[str, int]) -> None:
    client = staff(*(f"view_{model}" for model in [*MODELS, "sendingswitch"]))

    assert {client.get(page).status_code for page in pages(rows)} == {200}
    for model in ("notification", "devicetoken"):
        assert 'name="action"' not in client.get(listing(model)).content.decode()
    switch = client.get(listing("sendingswitch")).content.decode()
    assert "<button" not in switch.split('id="content-main"')[1]


def test_staff_without_permissions_see_none(rows: dict[str, int]) -> None:
    client = staff()

    assert {client.get(page).status_code for page in pages(rows)} <= {403, 404}


def test_strangers_are_led_to_the_login(rows: dict[str, int]) -> None:
    for page in pages(rows):
        answer = Client().get(page)

        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


def test_nothing_can_be_added_changed_or_deleted_by_a_form(rows: dict[str, int]) -> None:
    client = superuser()

    for model, pk in rows.items():
        for view, args in (("add", []), ("delete", [pk]), ("change", [pk])):
            address = reverse(f"admin:notifications_{model}_{view}", args=args)
            assert client.post(address, {"post": "yes"}).status_code == 403


def test_the_switch_is_no_row_to_be_edited() -> None:
    client = superuser()

    for view, args in (("add", []), ("delete", [1])):
        address = reverse(f"admin:notifications_sendingswitch_{view}", args=args)
        assert client.post(address, {"post": "yes"}).status_code == 403
    edit = reverse("admin:notifications_sendingswitch_change", args=[1])
    answer = client.post(edit, {"mode": "live"})
    assert (answer.status_code, answer["Location"]) == (302, listing("sendingswitch"))
    assert not models.SendingSwitch.objects.exists()


@pytest.mark.parametrize("change", WRITES)
def test_looking_at_a_change_is_not_making_it(change: str) -> None:
    address = reverse(f"admin:notifications_sendingswitch_{change}")

    assert superuser().get(address).status_code == 200
    assert not models.SendingSwitch.objects.exists()


def test_looking_changes_nothing(rows: dict[str, int]) -> None:
    client = superuser()
    before = [list(getattr(models, name).objects.values()) for name in models.__all__]

    for page in pages(rows):
        client.get(page)

    assert before == [list(getattr(models, name).objects.values()) for name in models.__all__]


def test_no_page_shows_a_token(rows: dict[str, int]) -> None:
    client = superuser()

    for page in pages(rows):
        assert SECRET not in client.get(page).content.decode()
    assert "…ending" in client.get(listing("devicetoken")).content.decode()


def test_nor_does_the_page_that_asks_before_a_user_is_deleted(rows: dict[str, int]) -> None:
    user = models.DeviceToken.objects.get().user

    answer = superuser().get(reverse("admin:auth_user_delete", args=[user.pk]))

    assert "device" in answer.content.decode()
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        ("devicetoken", "token__startswith"),
        ("devicetoken", "token"),
        ("delivery", "device__token__startswith"),
        ("notification", "deliveries__device__token__startswith"),
    ],
)
def test_a_token_cannot_be_guessed_by_filtering(
    rows: dict[str, int], model: str, lookup: str
) -> None:
    answer = superuser().get(listing(model, f"?{lookup}={SECRET}"))

    assert answer.status_code == 400


def test_a_user_can_be_deleted_with_their_devices() -> None:
    client, device = superuser(), listener("lena")

    client.post(reverse("admin:auth_user_delete", args=[device.user_id]), {"post": "yes"})

    assert not DeviceToken.objects.filter(id=device.id).exists()


def test_a_device_alone_cannot_be_deleted() -> None:
    client, device = superuser(), listener("lena")

    answer = client.post(
        reverse("admin:notifications_devicetoken_delete", args=[device.id]), {"post": "yes"}
    )

    assert answer.status_code == 403
    assert DeviceToken.objects.filter(id=device.id).exists()
