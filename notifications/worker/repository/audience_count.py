"""How many targets a large notification has, counted in slices: nothing waits for the count.

The size of a small audience is known when a claim sees its end (claims.py). Counting a million at
once would keep the loop from refilling the lanes for seconds.
"""

from dataclasses import dataclass

from notifications.models import DeviceToken, Notification
from programs.models import Clip

SLICE_LISTENERS = 5_000  # some 15 ms


@dataclass(slots=True)
class Count:
    """How far the count of one notification has come, in order of listeners."""

    devices: int = 0
    after_listener: int = 0


class AudienceCount:
    """Counts audiences, a slice at each call; one notification after the other."""

    def __init__(self) -> None:
        self._counts: dict[int, Count] = {}

    def go_on(self, notification_id: int) -> bool:
        """Count a slice, and note the sum at the end; return whether more is to be counted."""
        uncounted = Notification.objects.filter(id=notification_id, audience_count=None)
        whose = uncounted.values_list("talk__program_id", "cutoff").first()
        if whose is None or None in whose:
            return False
        program_id, cutoff = whose
        count = self._counts.setdefault(notification_id, Count())
        clips = Clip.objects.filter(program=program_id, muted=False)
        clips = clips.filter(listener__gt=count.after_listener).order_by("listener_id")
        listeners = list(clips.values_list("listener_id", flat=True)[:SLICE_LISTENERS])
        devices = DeviceToken.objects.registered_by(cutoff).filter(user__in=listeners)
        count.devices += devices.count()
        if len(listeners) == SLICE_LISTENERS:
            count.after_listener = listeners[-1]
            return True
        del self._counts[notification_id]
        uncounted.update(audience_count=count.devices)
        return False
