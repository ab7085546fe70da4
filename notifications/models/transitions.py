"""The states of a notification, and the one way from each to another.

Each transition returns how many notifications it moved; it leaves all other states alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from accounts.who import Who

from .batch import Batch
from .control import MAX_REASON, SendingSwitch
from .delivery import Delivery

if TYPE_CHECKING:
    from .notification import Notification


class State(models.TextChoices):
    """How far a notification has come.

    pending ──▶ sending ──▶ done
       │  ▲      │   ▲
       │  └─held─┤───┘        held: an operator looks, then releases or cancels
       ▼    ▲    ▼
    (pending, sending or held) ──▶ cancelled       (pending, sending) ──▶ expired

    done ──▶ sending: an operator resends, or an answer came late
    """

    PENDING = "pending", _("pending")
    SENDING = "sending", _("sending")
    DONE = "done", _("done")
    HELD = "held", _("held")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("expired")


# The worker sends notifications in these states.
ACTIVE_STATES = [State.PENDING, State.SENDING]

# Each answer comes within FCM_TIMEOUT, and is recorded at once.
STUCK_AFTER = timedelta(seconds=60)

# More may still be sent of a notification in these states: an operator can cancel it.
OPEN_STATES = [*ACTIVE_STATES, State.HELD]

# Nothing more is sent of a notification in these states.
ENDED_STATES = [State.DONE, State.CANCELLED, State.EXPIRED]


class Transitions(models.QuerySet["Notification"]):
    def start(self, *, dry_run: bool, reason: str, epoch: int, now: datetime) -> int:
        """Freeze whether it is a dry run: pending → sending."""
        return self.filter(state=State.PENDING).update(
            state=State.SENDING,
            dry_run=dry_run,
            reason=reason[:MAX_REASON],
            epoch=epoch,
            started_at=now,
        )

    def hold(
        self, *, reason: str, now: datetime, live_by: Who | None = None, brake: str = ""
    ) -> int:
        """Stop until an operator has looked: pending, sending → held.

        `live_by` is who went live, or wants it sent again: if given, somebody else has to approve.
        """
        return self.filter(state__in=ACTIVE_STATES).update(
            state=State.HELD,
            reason=reason[:MAX_REASON],
            needs_approval=live_by is not None,
            live_by=live_by.name if live_by else "",
            live_by_id=live_by.account_id if live_by else None,
            asked_by_id=None,
            **stopped(now),
            **({"brake": brake} if brake else {}),
        )

    def ask_for_release(self, *, reason: str, by: Who) -> int:
        """Note who asked for the release of what somebody else has to approve: it stays held."""
        return self.filter(state=State.HELD).update(
            reason=reason[:MAX_REASON], asked_by_id=by.account_id
        )

    def release(self, *, reason: str, approved_by: Who | None = None) -> int:
        """Go on where it stopped: held → sending, or → pending when it had not started.

        An approval that was given before stays, unless there is a new one. Where FCM blamed our
        configuration, it is attempted again.
        """
        held = self.filter(state=State.HELD)
        values: dict[str, Any] = {
            "reason": reason[:MAX_REASON],
            "needs_approval": False,
            "crashes": 0,
            **GOING_ON,
        }
        if approved_by:
            values |= {"approved_by": approved_by.name, "approved_by_id": approved_by.account_id}
        with transaction.atomic():
            for notification_id in held.order_by("id").values_list("id", flat=True):
                self.model.objects.filter(id=notification_id).retry_misconfigured()
            started = held.filter(started_at__isnull=False).update(state=State.SENDING, **values)
            pending = held.filter(started_at=None).update(state=State.PENDING, **values)
        return started + pending

    def reopen(self, *, reason: str) -> int:
        """Some deliveries are to be attempted again: done → sending; other states stay."""
        return self.filter(state=State.DONE).update(
            state=State.SENDING, reason=reason[:MAX_REASON], finished_at=None
        )

    def note_stop(self, *, now: datetime) -> int:
        """Remember how far those being sent had come when operators stopped everything."""
        return self.filter(state=State.SENDING).update(**stopped(now))

    def note_going_on(self) -> int:
        """Forget the stop of notifications that are sent again, or may be begun."""
        return self.filter(state__in=ACTIVE_STATES).update(**GOING_ON)

    def note_crash(self) -> int:
        """Count a worker that died while sending these; a recorded answer sets the count to 0."""
        return self.filter(state=State.SENDING).update(crashes=F("crashes") + 1)

    def waiting_longest(self) -> Notification | None:
        """Return the one that has waited longest to be started, None when none waits."""
        return self.filter(state=State.PENDING).order_by(WAITS_SINCE, "id").first()

    def stuck(self) -> Transitions:
        """Return those being sent of which nothing was claimed or answered lately, by a fault.

        There are none while targets of other notifications are claimed, since the rate may allow
        no more; none while sending is paused, or the switch was changed lately; none that was
        released lately; and none whose next attempt is only due later, as when FCM says wait.
        """
        long_ago = Now() - STUCK_AFTER
        newest = Batch.objects.order_by("-id").values("id")[:1]
        claimed_lately = Batch.objects.filter(id__in=newest, claimed_at__gt=long_ago)
        due_lately = Delivery.objects.filter(
            notification=OuterRef("pk"),
            outcome=Delivery.Outcome.RETRY,
            next_attempt_at__gt=long_ago,
        )
        stopped_lately = SendingSwitch.objects.filter(Q(paused=True) | Q(changed_at__gt=long_ago))
        return (
            self.filter(state=State.SENDING, started_at__lte=long_ago)
            .exclude(last_sent_at__gt=long_ago)
            .exclude(released_at__gt=long_ago)
            .exclude(Exists(due_lately))
            .exclude(Exists(claimed_lately))
            .exclude(Exists(stopped_lately))
        )

    def complete(self) -> Transitions:
        """Return those being sent with nothing in flight and nothing to retry."""
        in_flight = Batch.objects.filter(notification=OuterRef("pk"), state=Batch.State.SENDING)
        to_retry = Delivery.objects.filter(
            notification=OuterRef("pk"), outcome=Delivery.Outcome.RETRY
        )
        return self.filter(state=State.SENDING).exclude(Exists(in_flight)).exclude(Exists(to_retry))

    def finish(self, *, now: datetime) -> int:
        """Close those with nothing in flight and nothing to retry: sending → done."""
        with transaction.atomic():
            # The lock is a statement of its own: a statement that has waited for a lock sees the
            # other tables as they were before it waited (READ COMMITTED), and would miss a retry.
            list(self.order_by("id").select_for_update().values_list("id"))
            return self.complete().update(state=State.DONE, finished_at=now)

    def cancel(self, *, reason: str, now: datetime) -> int:
        """Send no more of it: pending, sending, held → cancelled."""
        return self._give_up(
            State.CANCELLED,
            among=OPEN_STATES,
            reason=reason,
            now=now,
        )

    def expire(self, *, reason: str, now: datetime) -> int:
        """Send no more of it, since it would come too late: pending, sending → expired."""
        return self._give_up(State.EXPIRED, among=ACTIVE_STATES, reason=reason, now=now)

    def _give_up(
        self,
        state: State,
        *,
        among: list[State],
        reason: str,
        now: datetime,
    ) -> int:
        """End these early; what waited to be retried is abandoned in the same transaction."""
        with transaction.atomic():
            rows = self.filter(state__in=among).order_by("id").select_for_update()
            ids = list(rows.values_list("id", flat=True))
            for notification_id in ids:
                self.model.objects.filter(id=notification_id).abandon_retries(now=now)
            return self.model.objects.filter(id__in=ids).update(
                state=state, reason=reason[:MAX_REASON], finished_at=now, **stopped(now)
            )

    def retry_misconfigured(self) -> int:
        """Attempt again what FCM refused of this one by mistake of ours; return how many."""
        count = Delivery.objects.filter(notification__in=self).retry_misconfigured(now=Now())
        self.update(
            rejected_count=F("rejected_count") - count, retry_count=F("retry_count") + count
        )
        return count

    def abandon_retries(self, *, now: datetime) -> int:
        """Give up this one notification's waiting retries, and return how many there were."""
        abandoned = Delivery.objects.filter(notification__in=self).abandon(now=now)
        self.update(
            retry_count=F("retry_count") - abandoned,
            abandoned_count=F("abandoned_count") + abandoned,
        )
        return abandoned


# Notification.waits_since, in a query.
WAITS_SINCE = Coalesce("released_at", "created_at")

# The values of a notification that goes on: its stop is forgotten, and it waits from now on.
GOING_ON: dict[str, Any] = {"stopped_at": None, "sent_at_stop": None, "released_at": Now()}


def stopped(now: datetime) -> dict[str, Any]:
    """Return the values that remember the first stop; `sent_after_stop` counts from there."""
    return {
        "stopped_at": Coalesce("stopped_at", now),
        "sent_at_stop": Coalesce("sent_at_stop", F("sent_count") + F("simulated_count")),
    }
