"""The operator of a random round, who has tests sent to devices of their own meanwhile."""

from collections import Counter
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from accounts.who import Who
from notifications.models import DeviceToken, TestPush
from notifications.operators import test_push
from testbed.system import System

User = get_user_model()


class Tester:
    """An operator; each test goes to another device, by which FCM's journal tells them apart."""

    def __init__(self, seed: int, *, tests: int) -> None:
        operator = User.objects.create(username=f"round-{seed}-operator")
        self.who = Who(operator.username, operator.pk)
        tokens = (f"round-{seed}-test-{number}" for number in range(tests))
        self.devices = [DeviceToken.objects.create(user=operator, token=each) for each in tokens]

    def ask(self) -> None:
        """Ask for the next test, unless the database is away."""
        device = self.devices.pop()
        try:
            test_push.request(device, form=uuid4(), by=self.who, now=timezone.now())
        except (OperationalError, InterfaceError):
            connection.close()


def are_over() -> bool:
    """Return whether something has come of each test."""
    open_states = [TestPush.State.REQUESTED, TestPush.State.CLAIMED]
    return not TestPush.objects.filter(state__in=open_states).exists()


def false_tests(system: System) -> list[str]:
    """Return each test that reached FCM twice, or was not what its row says."""
    journal = [entry for entry in system.journal() if entry["data"] == {"test": "1"}]
    posted = Counter(entry["token"] for entry in journal)
    accepted = {entry["token"] for entry in journal if entry["verdict"] == "accepted"}
    return [
        f"test to {token}: {state}, {posted[token]} posted, accepted: {token in accepted}"
        for token, state in TestPush.objects.values_list("device__token", "state")
        if posted[token] > 1 or (state == TestPush.State.SENT and token not in accepted)
    ]
