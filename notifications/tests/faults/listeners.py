"""The listeners of a random round, and how some of them leave in its middle."""

import random
from collections.abc import Callable
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from notifications.models import DeviceToken
from programs.models import Clip, Program
from testbed.system import System

User = get_user_model()

COUNT = 100
# One of each is refused for good, and one at first.
REFUSED, THROTTLED = "unregistered", "once-429after1"


class Listeners:
    """A program's listeners, a device each; who has left, and since when that is committed."""

    def __init__(self, system: System, seed: int) -> None:
        self.program = system.listeners(COUNT - 2, name=f"round-{seed}-device-{{}}")
        for fault in (REFUSED, THROTTLED):
            self._add(f"round-{seed}-{fault}")
        self.devices = list(DeviceToken.objects.order_by("id"))
        random.Random(seed).shuffle(self.devices)
        self.departures: dict[int, datetime] = {}

    def leave(self, way: str) -> None:
        """Let the next one leave in this way, unless the database is away."""
        device = self.devices.pop()
        try:
            WAYS_TO_LEAVE[way](device, self.program)
        except (OperationalError, InterfaceError):
            connection.close()
        else:
            self.departures[device.id] = timezone.now()

    def _add(self, token: str) -> None:
        user = User.objects.create(username=token)
        DeviceToken.objects.create(user=user, token=token)
        Clip.objects.create(listener=user, program=self.program)


def unclip(device: DeviceToken, program: Program) -> None:
    """The listener follows the program no more."""
    Clip.objects.filter(listener=device.user_id, program=program).delete()


def mute(device: DeviceToken, program: Program) -> None:
    """The listener follows without notifications."""
    Clip.objects.filter(listener=device.user_id, program=program).update(muted=True)


def unregister(device: DeviceToken, program: Program) -> None:
    """The app signs off."""
    devices = DeviceToken.objects.enabled().filter(id=device.id)
    devices.disable(reason="signed off", now=timezone.now())


def move(device: DeviceToken, program: Program) -> None:
    """Somebody else, who does not follow the program, signs in on the device."""
    DeviceToken.objects.register(
        user=program.owner,
        token=device.token,
        kind=device.kind,
        platform=device.platform,
        now=timezone.now(),
    )


WAYS_TO_LEAVE: dict[str, Callable[[DeviceToken, Program], None]] = {
    "unclip": unclip,
    "mute": mute,
    "unregister": unregister,
    "move": move,
}
