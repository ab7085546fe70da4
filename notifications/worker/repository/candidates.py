"""Candidates: the ids of devices that may be next, read ahead by the plan that fits the audience.

Finding the next hundred targets must cost neither a pass over the audience nor a walk over other
programs' devices each time. So the ids of many are found at once and kept for a moment. They are
only candidates: each claim checks those it takes, in its transaction (claims.py). Where the ids
come from decides how fast a claim is, never which devices it may take.

A device that becomes a target while the window stands (its user unmutes, it is enabled again, it
gets another user) may be missed, like every device whose id the cursor has passed. So a window
stands only for a moment. A device that ceases to be a target before its claim gets nothing.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max

from notifications.models import DeviceToken, Notification
from notifications.models.device import DeviceTokenQuerySet
from programs.models import Clip

# The first window is small, so that the first batch leaves soon. A walk over the devices reads what
# goes out in about a second; a pass over the clips costs the same however many ids it returns.
FIRST_IDS = 1_000
WALK_IDS = 10_000
FROM_CLIPS_IDS = 100_000

# Ids in all windows together, 8 bytes each. Beyond that the window unused for the longest time is
# dropped, and read again when needed.
MOST_IDS = 8_000_000

# How long a window stands, unless reading it took so long that this would be all we do.
STANDS = timedelta(seconds=1)
STANDS_PER_READING = 20

# One device after the other, in order of listeners, from indexes alone (clip_of_program,
# device_of_user). OFFSET 0 keeps PostgreSQL's planner, which the LIMIT or an outdated statistic
# misleads, from walking over all devices instead.
FROM_CLIPS = """
    SELECT device.id
    FROM (SELECT listener_id FROM programs_clip
          WHERE program_id = %(program)s AND NOT muted OFFSET 0) AS clip
    CROSS JOIN LATERAL
         (SELECT id FROM notifications_devicetoken
          WHERE user_id = clip.listener_id AND disabled_at IS NULL
            AND created_at <= %(cutoff)s AND id > %(after)s OFFSET 0) AS device
    ORDER BY device.id
    LIMIT %(limit)s
"""

# What a notification's audience depends on: program and cutoff.
Whose = tuple[int | None, datetime | None]


@dataclass(slots=True)
class Window:
    """Candidates in order of their ids; `complete` when nobody comes after them."""

    whose: Whose
    ids: array[int]
    complete: bool
    read_at: datetime
    stands: timedelta = STANDS
    cursor: int = 0  # of the last claim; each claim reads the notification's own

    def next(self, limit: int, *, after: int) -> list[int]:
        """Return the next candidates behind a device, at most `limit`."""
        start = bisect_right(self.ids, after)
        return self.ids[start : start + limit].tolist()

    def behind(self, device_id: int) -> int:
        """Return how many candidates come behind a device."""
        return len(self.ids) - bisect_right(self.ids, device_id)

    @property
    def exhausted(self) -> bool:
        """Return whether all candidates were claimed, and there are no others."""
        return self.complete and not self.behind(self.cursor)

    def serves(self, now: datetime) -> bool:
        """Return whether it may be claimed from; not when a clock was set back, either."""
        fresh = timedelta(0) <= now - self.read_at < self.stands
        return fresh and bool(self.complete or self.behind(self.cursor))


@dataclass(slots=True)
class Reading:
    """What is remembered of one notification between claims."""

    window: Window
    listeners: int


class Candidates:
    """The windows of the notifications that are being sent."""

    def __init__(self) -> None:
        self._readings: dict[int, Reading] = {}

    def window(self, notification_id: int, *, now: datetime) -> Window:
        """Return the window to claim from; it is empty only if no candidates are left."""
        known = self._readings.pop(notification_id, None)
        if known is None or not known.window.serves(now):
            known = self._read(notification_id, known, now=now)
        self._readings[notification_id] = known  # the last used is the last
        self._forget_the_longest_unused()
        return known.window

    def forget(self, notification_id: int) -> None:
        """Drop what is remembered of a notification that is not claimed from any more."""
        self._readings.pop(notification_id, None)

    @staticmethod
    def _read(notification_id: int, known: Reading | None, *, now: datetime) -> Reading:
        whose, after = read_position(notification_id)
        program_id, cutoff = whose
        if program_id is None or cutoff is None:
            return Reading(Window(whose, array("q"), True, now), 0)
        began = time.monotonic()
        if known and known.window.whose == whose:
            listeners, wanted = known.listeners, FROM_CLIPS_IDS
        else:
            listeners, wanted = (
                Clip.objects.filter(program=program_id, muted=False).count(),
                FIRST_IDS,
            )
        if is_cheaper_from_clips(listeners, after=after, wanted=wanted):
            limit = FROM_CLIPS_IDS
            ids = from_clips(program_id, cutoff, after=after, limit=limit)
        else:
            limit = min(wanted, WALK_IDS)
            ids = walk_over_devices(program_id, cutoff, after=after, limit=limit)
        took = timedelta(seconds=time.monotonic() - began)
        stands = max(STANDS, took * STANDS_PER_READING)
        return Reading(Window(whose, ids, len(ids) < limit, now, stands, after), listeners)

    def _forget_the_longest_unused(self) -> None:
        total = sum(len(each.window.ids) for each in self._readings.values())
        while total > MOST_IDS and len(self._readings) > 1:
            longest_unused = next(iter(self._readings))
            total -= len(self._readings.pop(longest_unused).window.ids)


def read_position(notification_id: int) -> tuple[Whose, int]:
    """Return a notification's program and cutoff, and its cursor."""
    row = (
        Notification.objects.filter(id=notification_id)
        .values_list("talk__program_id", "cutoff", "cursor")
        .first()
    )
    return ((row[0], row[1]), row[2]) if row else ((None, None), 0)


def is_cheaper_from_clips(listeners: int, *, after: int, wanted: int) -> bool:
    """Return whether looking up each listener costs less than a walk to find `wanted` targets.

    The walk finds one target in devices / listeners. On SQLite there is only the walk.
    """
    if connection.vendor != "postgresql":
        return False
    last = DeviceToken.objects.aggregate(last=Max("id"))["last"] or 0
    return listeners * listeners <= wanted * (last - after)


def from_clips(program_id: int, cutoff: datetime, *, after: int, limit: int) -> array[int]:
    """Return the next candidates, by looking up the devices of each listener."""
    with connection.cursor() as cursor:
        cursor.execute(
            FROM_CLIPS,
            {"program": program_id, "cutoff": cutoff, "after": after, "limit": limit},
        )
        return ids_of(row for (row,) in cursor.fetchall())


def walk(program_id: int, cutoff: datetime, *, after: int) -> DeviceTokenQuerySet:
    """Return the query for the candidates behind a device, in the order of devices."""
    audience = DeviceToken.objects.audience_one_by_one(program_id, cutoff=cutoff)
    return audience.filter(id__gt=after)


def walk_over_devices(program_id: int, cutoff: datetime, *, after: int, limit: int) -> array[int]:
    """Return the next candidates, by checking of each device whether its user listens."""
    found = walk(program_id, cutoff, after=after).values_list("id", flat=True)
    return ids_of(found[:limit])


def ids_of(ids: Iterable[int]) -> array[int]:
    """Return the ids, 8 bytes each."""
    return array("q", ids)
