"""A night in which everything happened: a row of every kind, for whoever looks at every page."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from accounts.who import Who
from notifications.admin.tests.rows import batch, delivery, listener, notification
from notifications.models import (
    Delivery,
    DeviceToken,
    Notification,
    SendingMinute,
    Standby,
)
from notifications.operators import acts
from testbed.system import go_live_for_the_evening

OUTCOMES = ["sent", "sent", "sent", "rejected", "retry", "unknown", "abandoned", "skipped"]


def night(operator: str) -> dict[str, str]:
    """Write the night, and return the address of each page of the desk, by what it shows."""
    now = timezone.now()
    anna = User.objects.get(username=operator)
    go_live_for_the_evening()
    acts.pause(
        by=Who("anna (admin)", 1), reason="too loud", now=now
    )  # so that the rows stay as they are
    own = DeviceToken.objects.create(user=anna, token="annas-own-device")
    SendingMinute.objects.add({"sent": 900, "rejected": 40, "unknown": 2}, now=now)
    SendingMinute.objects.add({"simulated": 300}, now=now - timedelta(minutes=9))
    Standby.objects.announce(holder="radio-2:77:x")
    rows = {state: half_sent(state) for state in Notification.State.values}
    acts.cancel(
        rows["cancelled"].pk, by=Who("anna (admin)", 1), reason="the wrong recording", now=now
    )
    Notification.objects.filter(pk=rows["held"].pk).update(needs_approval=True, reason="Too large")
    return addresses(rows, own)


def half_sent(state: str) -> Notification:
    """Return a notification in this state, with one delivery at least of each outcome."""
    row = notification("sending", title=f"What the owls know, {state}")
    devices = [listener(f"{state}-{nth}") for nth in range(len(OUTCOMES))]
    batch(row, [device.pk for device in devices])
    for device, outcome in zip(devices, OUTCOMES, strict=True):
        line = delivery(row, device, outcome)
        code = "" if outcome in ("sent", "skipped") else "UNAVAILABLE"
        Delivery.objects.filter(pk=line.pk).update(error_code=code)
    now = timezone.now()
    posted = now - timedelta(seconds=40)
    Notification.objects.filter(pk=row.pk).update(
        **{f"{outcome}_count": OUTCOMES.count(outcome) for outcome in OUTCOMES},
        state="sending" if state == "cancelled" else state,
        dry_run=state == "done",
        audience_count=20,
        target_count=len(OUTCOMES) + 2,
        created_at=posted,
        started_at=posted + timedelta(seconds=1),
        first_sent_at=posted + timedelta(seconds=2),
        last_sent_at=posted + timedelta(seconds=9),
        reason="the production switch is live",
    )
    row.refresh_from_db()
    return row


def addresses(rows: dict[str, Notification], own: DeviceToken) -> dict[str, str]:
    """Return the address of each page of the desk, by what it shows."""
    one, doubted = rows["sending"], rows["done"]
    line = Delivery.objects.filter(notification=doubted, outcome="unknown").latest("id")
    assert line.device
    name, talk = line.device.user.get_username(), doubted.talk_id

    def at(view: str, *args: object) -> str:
        return reverse(f"admin:{view}", args=args)

    why = at("notifications_notification_why")
    program = one.talk.program_id if one.talk else 0
    return {
        "start": at("index"),
        "app": at("app_list", "notifications"),
        "notifications": at("notifications_notification_changelist"),
        "unknown": at("notifications_notification_changelist") + "?unknown=yes",
        "nothing found": at("notifications_notification_changelist") + "?q=nobody",
        **{state: at("notifications_notification_change", row.pk) for state, row in rows.items()},
        **{
            f"{name}?": at(f"notifications_notification_{name}", row.pk)
            for name, row in {
                "cancel": one,
                "hold": one,
                "release": rows["held"],
                "retry": doubted,
                "resend-unknown": doubted,
                "abandon-unknown": doubted,
            }.items()
        },
        "nothing to cancel": at("notifications_notification_cancel", doubted.pk),
        "history": at("notifications_notification_history", one.pk),
        "why?": why,
        "why": f"{why}?listener={name}&talk={talk}",
        "why: several talks": f"{why}?listener={name}&talk=What",
        "why: no such listener": f"{why}?listener=nobody&talk=nothing",
        "log": at("notifications_delivery_changelist"),
        "log of one": at("notifications_delivery_changelist")
        + f"?notification__id__exact={doubted.pk}&outcome__exact=unknown",
        "delivery": at("notifications_delivery_change", line.pk),
        "batches": at("notifications_batch_changelist"),
        "batch": at("notifications_batch_change", doubted.batches.latest("id").pk),
        "devices": at("notifications_devicetoken_changelist"),
        "device": at("notifications_devicetoken_change", own.pk),
        "test?": at("notifications_devicetoken_test", own.pk),
        "switch": at("notifications_sendingswitch_changelist"),
        **{f"{name}?": at(f"notifications_sendingswitch_{name}") for name in ("pause", "resume")},
        **{f"{name}?": at(f"notifications_sendingswitch_{name}") for name in ("live", "dry-run")},
        "acts": at("notifications_answeredform_changelist"),
        "workers": at("notifications_workerlease_changelist"),
        "standbys": at("notifications_standby_changelist"),
        "minutes": at("notifications_sendingminute_changelist"),
        "programs": at("programs_program_changelist"),
        "program": at("programs_program_change", program),
        "program dry run?": at("programs_program_dry-run", program),
        "program live?": at("programs_program_live", program),
        "talks": at("programs_talk_changelist"),
        "talk": at("programs_talk_change", talk),
        "clips": at("programs_clip_changelist"),
        "users": at("auth_user_changelist"),
    }
