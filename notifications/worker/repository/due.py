"""Due: which notifications are to be sent or ended, and the transitions that the worker makes."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import OuterRef

from notifications import caps, policy, reasons
from notifications.models import Delivery, DeviceToken, Notification, SendingSwitch
from notifications.models.device import DeviceTokenQuerySet, ExistsForEach
from notifications.models.notification import max_age
from programs.models import Talk

from ..held import tell_held
from ..lease import Lease


class Due:
    """Finds the notifications that are due, and moves each from state to state."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def add_missing(self, most_ages: Mapping[int, timedelta], *, now: datetime) -> list[int]:
        """Write the notification of each named talk that has none; return those that get none.

        Only talks that a message named get one: a bulk import must not push to everybody. And only
        those that are no older than their `most_ages` says: anybody may publish.
        """
        if not most_ages:
            return []
        lacking = Talk.objects.filter(id__in=most_ages, notification=None)
        too_old = []
        for talk in lacking.select_related("program"):
            if age_of(talk, now=now) > most_ages[talk.id]:
                too_old.append(talk.id)
                continue
            # Another process may have written the notification meanwhile, or deleted the talk.
            with suppress(IntegrityError), transaction.atomic():
                objection = caps.objection(talk.program_id, now=now)
                row = Notification.objects.create_for(talk, now=now, objection=objection)
                if row.state == Notification.State.HELD:
                    tell_held(row.id, row.reason)
        return too_old

    def active(self) -> list[Notification]:
        """Return what is pending or being sent, oldest first, with talk and program."""
        return list(
            Notification.objects.filter(state__in=Notification.ACTIVE_STATES)
            .select_related("talk__program")
            .order_by("id")
        )

    def switch(self) -> SendingSwitch:
        """Return the operators' switch."""
        return SendingSwitch.objects.current()

    def others_follow(self, notification_id: int, platforms: Collection[str]) -> bool:
        """Return whether devices of other platforms are left: in the audience, or as retries."""
        row = Notification.objects.select_related("talk").filter(id=notification_id).first()
        if row is None:  # deleted by hand
            return False
        others = set(DeviceToken.Platform.values).difference(platforms)
        of_others = DeviceToken.objects.filter(id=OuterRef("device"), platform__in=others)
        waiting = Delivery.objects.filter(notification=row).waiting_for_retry()
        if waiting.filter(ExistsForEach(of_others)).exists():
            return True
        return self._audience(row).filter(id__gt=row.cursor, platform__in=others).exists()

    def with_retries(self, notification_ids: Collection[int], *, now: datetime) -> set[int]:
        """Return which of these have something to attempt again by now."""
        due = Delivery.objects.filter(notification__in=notification_ids).due_for_retry(now=now)
        return set(due.order_by().values_list("notification_id", flat=True).distinct())

    def start(self, notification: Notification, *, now: datetime) -> policy.Decision | None:
        """Decide and freeze how a pending notification is sent: live or as a dry run.

        Return None when it has to wait (paused, or held for its large audience) or is not pending
        any more.
        """
        if notification.talk is None:
            return None
        with transaction.atomic():
            switch = SendingSwitch.objects.current()
            # Asked before the lease is locked, since a lock writes to the disk: while sending is
            # paused, each pending notification is asked about every second.
            if switch.paused:
                return None
            self._lease.fence()
            program = notification.talk.program
            decision = policy.decide(switch=switch, program_dry_run=program.dry_run, now=now)
            if not decision.dry_run and self._is_held_for_approval(notification, switch, now=now):
                return None
            started = Notification.objects.filter(id=notification.id).start(
                dry_run=decision.dry_run,
                reason=decision.reason,
                epoch=self._lease.epoch,
                now=now,
            )
        notification.dry_run = decision.dry_run
        return decision if started else None

    @classmethod
    def _is_held_for_approval(
        cls, notification: Notification, switch: SendingSwitch, *, now: datetime
    ) -> bool:
        """Hold a notification whose audience needs an approval; return whether it does."""
        limit = policy.audience_limit(switch)
        if limit is None:
            return False
        # Without an order, or PostgreSQL walks over all devices for the few of a small audience.
        audience = cls._audience(notification).order_by()[: limit + 1].count()
        objection = policy.audience_objection(
            switch, audience=audience, approved_by_id=notification.approved_by_id
        )
        if objection is None:
            return False
        row = Notification.objects.filter(id=notification.id)
        row.hold(reason=objection, now=now, live_by=switch.live_because_of)
        tell_held(notification.id, objection)
        return True

    def hold(self, notification_id: int, *, reason: str, now: datetime, brake: str = "") -> None:
        """Leave a notification to an operator; once it is released, `brake` is off for it.

        What was set aside for our configuration is attempted again then.
        """
        row = Notification.objects.filter(id=notification_id)
        with transaction.atomic():
            if row.hold(reason=reason, now=now, brake=brake):
                row.retry_misconfigured()
        tell_held(notification_id, reason)

    def cancel(self, notification_id: int, *, reason: str, now: datetime) -> int:
        """Send no more of a notification."""
        return Notification.objects.filter(id=notification_id).cancel(reason=reason, now=now)

    def is_complete(self, notification_id: int) -> bool:
        """Return whether nothing of a notification is in flight or to be retried."""
        return Notification.objects.filter(id=notification_id).complete().exists()

    def finish(self, notification_id: int, *, now: datetime) -> Notification | None:
        """Return the notification as done, None when something of it is still open."""
        row = Notification.objects.filter(id=notification_id)
        return row.get() if row.finish(now=now) else None

    def end_overdue(self, notification: Notification, *, now: datetime) -> str:
        """Stop a notification that would come too late, and return its state.

        It expires; or it is done, its retries abandoned, when nothing but retries was left. A
        notification that was never started expires even without an audience: otherwise it would
        wait for ever.
        """
        row = Notification.objects.filter(id=notification.id)
        is_pending = notification.state == Notification.State.PENDING
        if is_pending or self._audience_is_left(notification):
            about = {"age": max_age(), "claimed": notification.target_count}
            row.expire(reason=reasons.TOO_LATE % about, now=now)
        else:
            with transaction.atomic():
                row.select_for_update().get()
                row.abandon_retries(now=now)
            row.finish(now=now)
        return row.get().state

    @classmethod
    def _audience_is_left(cls, notification: Notification) -> bool:
        return cls._audience(notification).filter(id__gt=notification.cursor).exists()

    @staticmethod
    def _audience(notification: Notification) -> DeviceTokenQuerySet:
        if notification.talk is None:
            return DeviceToken.objects.none()
        return DeviceToken.objects.audience_of(
            notification.talk.program_id, cutoff=notification.cutoff
        )


def age_of(talk: Talk, *, now: datetime) -> timedelta:
    """Return how old the talk's row is, by the database's clock."""
    return now - talk.created_at if talk.created_at else timedelta.max


def is_stopped(notification: Notification, switch: SendingSwitch, *, now: datetime) -> bool:
    """Return whether the next claim finds that nothing may be claimed.

    All is paused, the talk is gone, what was live would be a dry run now, or lacks its approval.
    """
    if switch.paused or notification.talk is None:
        return True
    program = notification.talk.program
    decision = policy.decide(switch=switch, program_dry_run=program.dry_run, now=now)
    if notification.dry_run is not False:
        return False
    approved_by_id = notification.approved_by_id
    return decision.dry_run or bool(
        policy.approver_objection(switch, approved_by_id=approved_by_id)
    )
