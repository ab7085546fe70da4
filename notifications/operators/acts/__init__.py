"""What operators do to the sending: the one place, for the desk and for `manage.py sending`.

    notification  cancel, hold, release, retry or settle one notification
    switch        steer everything: pause, resume, dry run, live
    restored      make a database that was put back to an earlier state safe to send from
    approval      four eyes: which acts need a second account, and whose
    program       set a program to dry run, or back
    devices       disable devices, or enable them
    record        how an act ends: refused, or told with who did it and why

What is kept of each act, and cannot be erased, is in accounts/acts.py.

Each act is somebody's (`by`), for a `reason`. It takes effect before the next batch is claimed, and
returns what happened. An act that cannot be done raises Refused, whose message says why.
Every act locks in one order: the lease, the switch, notifications by id, the rest. The worker locks
in the same order, without the switch: the worker only reads it.
"""

from .devices import disable_devices, enable_devices
from .notification import (
    Stop,
    abandon_unknown,
    cancel,
    hold,
    release,
    release_or_ask,
    resend_unknown,
    retry_failed,
)
from .program import set_program_dry_run
from .record import Refused
from .restored import Restored, restored
from .switch import dry_run, go_live, pause, resume

__all__ = [
    "Refused",
    "Restored",
    "Stop",
    "abandon_unknown",
    "cancel",
    "disable_devices",
    "dry_run",
    "enable_devices",
    "go_live",
    "hold",
    "pause",
    "release",
    "release_or_ask",
    "resend_unknown",
    "restored",
    "resume",
    "retry_failed",
    "set_program_dry_run",
]
