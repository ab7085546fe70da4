"""The pages of notifications and of devices: what they show, and the actions on devices."""

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications.admin.device import DeviceTokenAdmin
from notifications.models import DeviceToken, Notification

from .rows import act, listener, listing, notification, page_of, staff, superuser

pytestmark = pytest.mark.django_db


# --- What is told -------------------------------------------------------------------------------


def test_the_list_tells_how_far_each_has_come() -> None:
    posted = notification("sending")
    Notification.objects.filter(id=posted.id).update(
        target_count=1250, sent_count=1200, unknown_count=3, dry_run=False
    )

    page = superuser().get(listing("notification")).content.decode()

    assert "Night Radio" in page
    assert "sent\N{NO-BREAK SPACE}1,200, unknown\N{NO-BREAK SPACE}3" in page
    assert '<span class="mode mode-live">live</span>' in page


def test_the_list_costs_as_many_queries_for_thirty_as_for_three(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = superuser()
    for _nth in range(30):
        notification()

    with django_assert_max_num_queries(8):  # session, user, count, rows, and the banner's four
        client.get(listing("notification"))


def test_one_whose_talk_is_gone_is_still_shown() -> None:
    posted = notification("done")
    assert posted.talk
    posted.talk.delete()

    client = superuser()

    assert "Owls" in client.get(listing("notification")).content.decode()
    assert client.get(page_of(posted)).status_code == 200


def test_what_is_not_known_of_one_is_a_dash() -> None:
    posted = notification("pending")  # whether it is a dry run is decided when it starts
    assert posted.talk
    posted.talk.delete()

    page = superuser().get(page_of(posted)).content.decode()

    assert page.count('<div class="readonly">–</div>') == 3  # program, mode and reason
    assert '<div class="readonly">None</div>' not in page


def test_a_page_leads_to_its_own_deliveries_and_batches() -> None:
    posted = notification("done")

    page = superuser().get(page_of(posted)).content.decode()

    assert listing("delivery", f"?notification__id__exact={posted.pk}") in page
    assert listing("batch", f"?notification__id__exact={posted.pk}") in page


@pytest.mark.parametrize(
    ("claimed", "told"), [(0, "Nothing is claimed yet."), (7, "Its batches were pruned.")]
)
def test_a_page_without_batches_says_why(claimed: int, told: str) -> None:
    posted = notification("done")
    Notification.objects.filter(id=posted.id).update(target_count=claimed)

    page = superuser().get(page_of(posted)).content.decode()

    assert told in page


# --- Devices --------------------------------------------------------------------------------------


def test_disabling_names_the_operator_and_enabling_forgets_it() -> None:
    client = superuser()
    device = listener("lena")

    page = act(client, "devicetoken", "disable", device)
    disabled = DeviceToken.objects.get()
    act(client, "devicetoken", "enable", device)

    assert "1 device was disabled." in page
    assert disabled.disabled_at
    assert disabled.disabled_reason == "Disabled by anna"
    assert DeviceToken.objects.enabled().get().disabled_reason == ""


def test_who_disabled_and_who_enabled_a_device_is_in_the_log_of_the_admin() -> None:
    client = superuser()
    lena, otto = listener("lena"), listener("otto")

    act(client, "devicetoken", "disable", lena, otto)
    act(client, "devicetoken", "disable", lena)  # changes nothing
    act(client, "devicetoken", "enable", otto)

    log = LogEntry.objects.order_by("id").values_list("user__username", "change_message")
    assert list(log.filter(object_id=str(lena.pk))) == [("anna", "disable")]
    assert list(log.filter(object_id=str(otto.pk))) == [("anna", "disable"), ("anna", "enable")]


def test_a_device_that_fcm_refused_keeps_that_reason() -> None:
    device = listener("lena")
    DeviceToken.objects.all().disable(reason="FCM: UNREGISTERED", now=timezone.now())

    page = act(superuser(), "devicetoken", "disable", device)

    assert "0 devices were disabled." in page
    assert DeviceToken.objects.get().disabled_reason == "FCM: UNREGISTERED"


def test_who_may_only_look_disables_nothing() -> None:
    device = listener("lena")

    act(staff("view_devicetoken"), "devicetoken", "disable", device)

    assert DeviceToken.objects.enabled().exists()


def test_an_action_is_never_for_more_than_the_page_that_was_looked_at() -> None:
    client, user = superuser(), listener("lena").user
    per_page = DeviceTokenAdmin.list_per_page
    DeviceToken.objects.bulk_create(
        DeviceToken(user=user, token=f"token-{nth}") for nth in range(2 * per_page)
    )
    ticked = [row.pk for row in client.get(listing("devicetoken")).context["cl"].result_list]

    page = client.get(listing("devicetoken")).content.decode()
    form = {"action": "disable", "select_across": "1", "_selected_action": ticked}
    client.post(listing("devicetoken"), form)

    # "Select all 51 devices" would have disabled all there are.
    assert "Select all" not in page.replace("Select all objects on this page", "")
    assert set(DeviceToken.objects.exclude(disabled_at=None).values_list("pk", flat=True)) == set(
        ticked
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=lena", {"lena"}),
        ("?q=len", set()),
        ("?enabled=yes", {"lena"}),
        ("?enabled=no", {"otto"}),
        ("?platform__exact=ios", {"otto"}),
        ("?kind__exact=fid", set()),
    ],
)
def test_devices_are_found_by_listener_platform_kind_and_state(query: str, found: set[str]) -> None:
    listener("lena")
    otto = DeviceToken.objects.filter(id=listener("otto").id)
    otto.update(platform="ios")
    otto.disable(reason="FCM: UNREGISTERED", now=timezone.now())

    page = superuser().get(listing("devicetoken", query)).content.decode()

    assert {name for name in ("lena", "otto") if f">{name}</" in page} == found


def test_the_list_of_devices_asks_nothing_for_each(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = superuser()
    for nth in range(30):
        listener(f"listener-{nth}")

    with django_assert_max_num_queries(8):  # session, user, count, rows, and the banner's four
        client.get(listing("devicetoken"))
