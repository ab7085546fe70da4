"""Rotation: the notifications that are being sent, in the order of their turns."""

from collections.abc import Container, Iterator

from .fanout import Fanout
from .timer import Timer

# How long a notification's turn lasts. Its listeners are reached close together, even among a
# hundred notifications, and its claims share the candidates that the first of them read ahead.
TURN_SECONDS = 0.25


class Rotation:
    """Round robin: a talk for a hundred listeners need not wait for one for a million."""

    def __init__(self) -> None:
        self._fanouts: dict[int, Fanout] = {}
        self.stopped: set[int] = set()  # of these, what no lane has taken is to be taken back
        self._serving = 0
        self.turn_timer = Timer(TURN_SECONDS)

    def __contains__(self, notification_id: int) -> bool:
        return notification_id in self._fanouts

    def __iter__(self) -> Iterator[Fanout]:
        return iter(list(self._fanouts.values()))

    def __getitem__(self, notification_id: int) -> Fanout:
        return self._fanouts[notification_id]

    def ids(self) -> list[int]:
        """Return the notifications in the order of their turns."""
        return list(self._fanouts)

    def add(self, fanout: Fanout) -> None:
        """Give a notification its turns; a new one has the first, before all others."""
        self._fanouts = {fanout.notification_id: fanout, **self._fanouts}

    def drop(self, notification_id: int) -> None:
        """Claim no more of a notification, and stop it; what is in flight is still recorded."""
        if self._fanouts.pop(notification_id, None):
            self.stopped.add(notification_id)

    def keep_only(self, notification_ids: Container[int]) -> None:
        """Drop all but these: the others have ended, or wait for an operator."""
        for notification_id in self.ids():
            if notification_id not in notification_ids:
                self.drop(notification_id)

    def clear(self) -> None:
        """Forget all notifications; the next look reads those to be sent from the database."""
        self._fanouts.clear()

    @property
    def has_work(self) -> bool:
        """Return whether there may be something to claim."""
        return any(fanout.has_work for fanout in self._fanouts.values())

    def in_turn(self) -> list[Fanout]:
        """Return the notifications with something to claim, in the order of their turns."""
        return [fanout for fanout in self._fanouts.values() if fanout.has_work]

    def served(self, fanout: Fanout) -> None:
        """Note that a notification was claimed from; when its turn is over, it comes last."""
        if self._serving != fanout.notification_id:
            self._serving = fanout.notification_id
            self.turn_timer.restart()
        elif self.turn_timer.due():
            self.put_last(fanout)

    def put_last(self, fanout: Fanout) -> None:
        """End the turn of a notification; all others have theirs before its next one."""
        self._fanouts[fanout.notification_id] = self._fanouts.pop(fanout.notification_id)
        self._serving = 0
