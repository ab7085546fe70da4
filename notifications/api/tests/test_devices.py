"""Devices over HTTP: registered, refreshed, moved, unregistered; no token ever comes back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from notifications.models import DeviceToken
from notifications.models.device import DeviceTokenQuerySet
from notifications.tests.factories import DeviceTokenFactory
from programs.tests.clients import client_of
from programs.tests.factories import UserFactory
from radiotalk import cache

DEVICES = "/api/v1/devices/"
TOKEN = "a-long-secret-token:abcdef"


@pytest.fixture
def user(db: None) -> User:
    """Return who asks."""
    return UserFactory.create(username="anna")


@pytest.fixture
def api(user: User) -> APIClient:
    """Return the HTTP client of `user`."""
    return client_of(user)


def test_a_new_device_is_registered_and_its_token_kept_secret(api: APIClient, user: User) -> None:
    answer = api.put(DEVICES, {"token": TOKEN, "platform": "ios", "kind": "fid"})

    assert answer.status_code == 201
    device = DeviceToken.objects.get()
    assert (device.user, device.token) == (user, TOKEN)
    assert answer.json()["id"] == device.pk
    assert (answer.json()["platform"], answer.json()["kind"]) == ("ios", "fid")
    assert answer.json()["token_end"] == "abcdef"
    assert TOKEN not in answer.content.decode()


def test_a_known_device_is_refreshed(api: APIClient, user: User) -> None:
    device = DeviceTokenFactory.create(user=user)

    answer = api.put(DEVICES, {"token": device.token, "platform": "web"})

    assert (answer.status_code, answer.json()["id"]) == (200, device.pk)
    refreshed = DeviceToken.objects.get()
    assert refreshed.refreshed_at > device.refreshed_at
    assert refreshed.created_at == device.created_at
    assert refreshed.platform == "web"


def test_a_token_of_another_user_moves_and_is_enabled(api: APIClient, user: User) -> None:
    device = DeviceTokenFactory.create(disabled_at=timezone.now(), disabled_reason="UNREGISTERED")

    answer = api.put(DEVICES, {"token": device.token, "platform": "android"})

    assert (answer.status_code, answer.json()["id"]) == (200, device.pk)
    moved = DeviceToken.objects.get()
    assert (moved.user, moved.disabled_at, moved.disabled_reason) == (user, None, "")
    assert moved.created_at == device.created_at


def test_an_unregistered_device_is_disabled_but_its_row_stays(api: APIClient, user: User) -> None:
    device = DeviceTokenFactory.create(user=user)

    answer = api.delete(f"{DEVICES}{device.pk}/")

    assert answer.status_code == 204
    device.refresh_from_db()
    assert device.disabled_at is not None
    assert device.disabled_reason == "unregistered by its user"
    assert api.get(DEVICES).json()["results"] == []


def test_an_unregistered_device_can_come_back_with_its_id(api: APIClient, user: User) -> None:
    device = DeviceTokenFactory.create(user=user)
    api.delete(f"{DEVICES}{device.pk}/")

    answer = api.put(DEVICES, {"token": device.token, "platform": "android"})

    assert answer.json()["id"] == device.pk
    assert DeviceToken.objects.get().disabled_at is None


# --- How many ------------------------------------------------------------------------------------


def devices_of(user: User, count: int) -> list[DeviceToken]:
    """Return so many devices of the user, each refreshed a minute after the one before."""
    start = timezone.now() - timedelta(days=1)
    return [
        DeviceTokenFactory.create(user=user, refreshed_at=start + timedelta(minutes=number))
        for number in range(count)
    ]


def enabled(user: User) -> set[int]:
    return set(DeviceToken.objects.enabled().filter(user=user).values_list("id", flat=True))


def test_one_device_more_disables_the_one_refreshed_longest_ago(api: APIClient, user: User) -> None:
    oldest, *others = devices_of(user, 20)

    answer = api.put(DEVICES, {"token": TOKEN, "platform": "ios"})

    assert answer.status_code == 201
    assert enabled(user) == {*(each.id for each in others), answer.json()["id"]}
    oldest.refresh_from_db()
    assert oldest.disabled_reason == (
        "Its user has 19 other devices, which were refreshed later, and may have no more."
    )


def test_a_device_that_had_to_go_comes_back_by_the_same_rule(api: APIClient, user: User) -> None:
    oldest, second, *_ = devices_of(user, 20)
    api.put(DEVICES, {"token": TOKEN, "platform": "ios"})

    answer = api.put(DEVICES, {"token": oldest.token, "platform": "ios"})

    assert (answer.status_code, answer.json()["id"]) == (200, oldest.id)
    assert len(enabled(user)) == 20
    assert oldest.id in enabled(user)
    assert second.id not in enabled(user)


def test_a_token_that_moves_to_a_user_counts_there(api: APIClient, user: User) -> None:
    oldest, *_ = devices_of(user, 20)
    moved = DeviceTokenFactory.create()

    api.put(DEVICES, {"token": moved.token, "platform": "ios"})

    assert moved.id in enabled(user)
    assert oldest.id not in enabled(user)
    assert len(enabled(user)) == 20


def test_what_is_above_the_bound_is_left_alone_until_the_next_registration(
    api: APIClient, user: User
) -> None:
    known = devices_of(user, 25)[0]

    api.put(DEVICES, {"token": known.token, "platform": "ios"})
    assert len(enabled(user)) == 25

    api.put(DEVICES, {"token": TOKEN, "platform": "ios"})
    assert len(enabled(user)) == 20


def test_the_devices_of_others_are_left_alone(api: APIClient, user: User) -> None:
    other = UserFactory.create()
    devices_of(other, 20)
    devices_of(user, 20)

    api.put(DEVICES, {"token": TOKEN, "platform": "ios"})

    assert len(enabled(other)) == 20


def test_a_known_token_is_refreshed_by_one_update(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    device = DeviceTokenFactory.create(user=user)

    with django_assert_num_queries(2):  # the update, and the row that is answered
        DeviceToken.objects.register(
            user=user, token=device.token, kind="token", platform="web", now=timezone.now()
        )


def test_a_token_that_somebody_registers_meanwhile_counts_too(
    api: APIClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, *_ = devices_of(user, 20)
    meanwhile = DeviceTokenFactory.create(token=TOKEN)
    update = DeviceTokenQuerySet.update
    missed: list[bool] = []

    def update_late(rows: DeviceTokenQuerySet, **values: Any) -> int:
        if "user" in values and "disabled_at" in values and not missed:
            missed.append(True)  # the token is not there yet, but when its row is inserted
            return 0
        return update(rows, **values)

    monkeypatch.setattr(DeviceTokenQuerySet, "update", update_late)
    answer = api.put(DEVICES, {"token": TOKEN, "platform": "ios"})

    assert (answer.status_code, answer.json()["id"], missed) == (200, meanwhile.pk, [True])
    assert meanwhile.pk in enabled(user)
    assert oldest.pk not in enabled(user)
    assert len(enabled(user)) == 20


def test_a_user_registers_sixty_times_an_hour_and_does_the_rest_as_often_as_they_like(
    api: APIClient, user: User
) -> None:
    device = DeviceTokenFactory.create(user=user)
    body = {"token": device.token, "platform": "ios"}

    assert {api.put(DEVICES, body).status_code for _ in range(60)} == {200}
    refused = api.put(DEVICES, {"token": TOKEN, "platform": "ios"})

    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert not DeviceToken.objects.filter(token=TOKEN).exists()
    assert api.get(DEVICES).status_code == 200
    assert api.delete(f"{DEVICES}{device.pk}/").status_code == 204
    assert client_of(UserFactory.create()).put(DEVICES, body).status_code == 200


def test_without_redis_nobody_is_refused(
    api: APIClient, user: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CACHES = {"default": {"BACKEND": "radiotalk.cache.RedisCache"}}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(cache, "of_process", cache.Redis())
    cache.connected.cache_clear()
    device = DeviceTokenFactory.create(user=user)
    body = {"token": device.token, "platform": "ios"}

    assert {api.put(DEVICES, body).status_code for _ in range(61)} == {200}
    cache.connected.cache_clear()


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_registrations_at_once_do_not_pass_the_bound_together() -> None:
    user = UserFactory.create()
    devices_of(user, 18)

    def register(number: int) -> int:
        try:
            token = f"token-at-once-{number}"
            return client_of(user).put(DEVICES, {"token": token, "platform": "ios"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(register, range(10))) == [201] * 10

    assert len(enabled(user)) == 20


def test_another_ones_device_is_not_there(api: APIClient) -> None:
    device = DeviceTokenFactory.create()

    answer = api.delete(f"{DEVICES}{device.pk}/")

    assert answer.status_code == 404
    device.refresh_from_db()
    assert device.disabled_at is None
    assert api.get(DEVICES).json()["results"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"token": ""}, "token"),
        ({"token": "t" * 1025}, "token"),
        ({"token": "\N{PARTY POPPER}" * 1024}, "token"),
        ({"token": "nul\x00"}, "token"),
        ({"platform": "fridge"}, "platform"),
        ({"kind": "pigeon"}, "kind"),
    ],
    ids=["no token", "long token", "long letters", "NUL", "platform", "kind"],
)
def test_a_bad_registration_is_refused(api: APIClient, change: dict[str, str], field: str) -> None:
    answer = api.put(DEVICES, {"token": TOKEN, "platform": "web"} | change)

    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not DeviceToken.objects.exists()


@pytest.mark.parametrize(
    "character",
    ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u3164", "\ufe0f", "\x7f", "\u00a0", "\n", " "],
    ids=ascii,
)
def test_a_token_with_an_invisible_character_is_refused_and_told_which(
    api: APIClient, character: str
) -> None:
    answer = api.put(DEVICES, {"token": f"abc{character}def", "platform": "web"})

    assert answer.status_code == 400
    told = f"There is an invisible character (U+{ord(character):04X}) in the token."
    assert answer.json() == {"token": [told]}
    assert not DeviceToken.objects.exists()


@pytest.mark.parametrize("token", [f"\ufeff{TOKEN}", f"{TOKEN}\u200b"], ids=["before", "after"])
def test_a_token_with_an_invisible_character_around_it_is_refused(
    api: APIClient, token: str
) -> None:
    assert api.put(DEVICES, {"token": token, "platform": "web"}).status_code == 400
    assert not DeviceToken.objects.exists()


def test_the_platform_must_be_told(api: APIClient) -> None:
    assert api.put(DEVICES, {"token": TOKEN}).status_code == 400


def test_the_list_is_narrowed_by_platform_and_costs_two_queries(
    api: APIClient, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    DeviceTokenFactory.create_batch(20, user=user, platform="ios")
    DeviceTokenFactory.create(user=user, platform="web")

    with django_assert_num_queries(2):  # their number, and the devices
        answer = api.get(DEVICES, {"platform": "ios"})

    assert answer.json()["count"] == 20


def test_options_does_not_look_for_a_device(api: APIClient) -> None:
    assert api.options(DEVICES).status_code == 405


@pytest.mark.django_db
def test_who_is_not_logged_in_is_asked_to() -> None:
    answer = APIClient().put(DEVICES, {"token": TOKEN, "platform": "web"})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
