"""The truth of what is to be sent, is being sent and was sent: one module for each concern.

    device        where a listener can be reached
    notification  what a posted talk owes its listeners, and how far that has come
    transitions   the states of a notification, and the one way from each to another
    batch         the unit of claiming: exactly which devices a worker claimed
    delivery      the send log: what became of each target
    erased        devices whose listener was erased, until the send log has lost them
    minute        how much went out in each minute
    answered      the operators' answers to the desk's questions, each done once
    test_push     an operator's test to a device of their own, which the worker sends
    compiled      the few statements that run many times a second
    id_lookup     `id__among=[…]`: one parameter for many ids
    control       what steers the sending: the operators' switch, the worker's lease, its standbys

A transition is one queryset method, one conditional UPDATE, one returned count.
"""

from .answered import AnsweredForm
from .batch import Batch
from .control import SendingSwitch, Standby, WorkerLease
from .delivery import Delivery
from .device import DeviceToken
from .erased import ErasedDevice
from .minute import SendingMinute
from .notification import Notification
from .test_push import TestPush

__all__ = [
    "AnsweredForm",
    "Batch",
    "Delivery",
    "DeviceToken",
    "ErasedDevice",
    "Notification",
    "SendingMinute",
    "SendingSwitch",
    "Standby",
    "TestPush",
    "WorkerLease",
]
