"""Caps: how many notifications of one program may ring in an hour and in a day; the one place.

A stolen token must not ring a million phones sixty times. Beyond a cap a talk is posted and its
notification held. What counts are the program's notifications that were neither held by a cap nor
too old when they were written: whatever became of them, and of their talks.
"""

from datetime import datetime, timedelta

from django.conf import settings

from programs.models import Program

from . import reasons
from .models import Notification

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def objection(program_id: int, *, now: datetime) -> str | None:
    """Return why the program's next notification is held, None when it may be sent.

    The program's row is locked until the transaction ends, in which the notification is written:
    of many talks at once exactly as many ring as may. FOR NO KEY UPDATE, since each of them refers
    to the program: with FOR UPDATE they would wait for one another for ever.
    """
    caps = [
        (limit, period, reason)
        for limit, period, reason in (
            (settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR, HOUR, reasons.TOO_MANY_AN_HOUR),
            (settings.NOTIFICATIONS_PER_PROGRAM_PER_DAY, DAY, reasons.TOO_MANY_A_DAY),
        )
        if limit
    ]
    if not caps:
        return None
    list(Program.objects.filter(id=program_id).select_for_update(no_key=True).values_list("id"))
    counted = Notification.objects.counted_since(now - DAY, program_id=program_id)
    newest = list(counted.values_list("created_at", flat=True)[: max(limit for limit, *_ in caps)])
    for limit, period, reason in caps:
        if sum(at > now - period for at in newest) >= limit:
            return reason % {"limit": limit}
    return None
