"""The invoker's decisions, with lanes that answer at once what the device's token asks for."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import DataError, OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.who import Who
from notifications import failpoints, payload
from notifications.fcm.outcomes import Meaning, Verdict
from notifications.models import (
    Batch,
    Delivery,
    DeviceToken,
    Notification,
    SendingSwitch,
    TestPush,
    WorkerLease,
)
from notifications.models.test_push import TAKEN_WITHIN
from notifications.operators import acts
from notifications.worker.inbox import Answered, HelperDied, Inbox, Stop, TalkPosted, Tested
from notifications.worker.invoker import (
    EXIT_GAVE_UP,
    EXIT_HELPER_DIED,
    EXIT_RESTORED,
    Invoker,
)
from notifications.worker.lease import Lease, LeaseLostError
from notifications.worker.rate import Rate
from notifications.worker.repository import Claims, Entry, Repository
from notifications.worker.repository.recovery import Recovery
from notifications.worker.repository.results import Results
from notifications.worker.repository.tests_to_send import TestsToSend
from notifications.worker.sender import HELD_A_LANE, Sender
from notifications.worker.telemetry import Telemetry
from notifications.worker.testing import Testing
from notifications.worker.watchdog import Watchdog
from notifications.worker.work import Job, Result
from programs.models import Clip, Program, Talk
from radiotalk import clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("live")]
AN_HOUR = 3600  # seconds
FULL = 2 * HELD_A_LANE  # what is handed to two lanes at most
User = get_user_model()


class InstantSender(Sender):
    """A sender without network: a token `unregistered-7` is answered `unregistered`."""

    def __init__(self, inbox: Inbox, *, lanes: int = 2) -> None:
        self.lanes = lanes
        self.capacity = HELD_A_LANE * lanes
        self.in_flight = 0
        self.inbox = inbox
        self.jobs: list[Job] = []
        self.until = 0.0
        self.gave_up = 0
        self.withdrawn: list[Container[int]] = []

    def send(self, jobs: Iterable[Job]) -> None:
        """Note the jobs and answer them."""
        for job in jobs:
            self.jobs.append(job)
            self.in_flight += len(job.targets)
            results = [Result.of(job, target, verdict_of(target.token)) for target in job.targets]
            self.inbox.put(Answered(tuple(results)))

    def hold_lease(self, *, until: float) -> None:
        """Note until when the lease was said to be held."""
        self.until = until

    def give_up(self) -> None:
        """Nothing waits here; note that it was asked for."""
        self.gave_up += 1

    def withdraw(self, notification_ids: Container[int]) -> None:
        """Nothing waits here; note what was asked for."""
        self.withdrawn.append(notification_ids)

    def expect(self, *, more: bool) -> None:
        """Nothing stands idle here."""

    def figures(self) -> dict[str, float | None]:
        """Nothing is measured here."""
        return {}

    def finish(self) -> None:
        """No lane waits for more."""


class PatientSender(InstantSender):
    """A sender whose answers come when the test lets them."""

    def __init__(self, inbox: Inbox, *, lanes: int = 2) -> None:
        super().__init__(inbox, lanes=lanes)
        self.later = Inbox()
        self.inbox, self.outlet = self.later, inbox

    def answer(self, batches: int) -> None:
        """Let the answers of the oldest so many batches come."""
        waiting = self.later.drain(timeout=0)
        for number, event in enumerate(waiting):
            (self.outlet if number < batches else self.later).put(event)


class InstantTesting(Testing):
    """Tests without network: FCM accepts each at once."""

    def __init__(self, tests: TestsToSend, inbox: Inbox) -> None:
        self._tests = tests
        self._report = inbox.put
        self._answered = None
        self.in_flight = set()
        self.posted: list[bytes] = []

    def _send(self, test_id: UUID, body: bytes) -> None:
        self.posted.append(body)
        self._report(Tested(test_id, Verdict(Meaning.ACCEPTED)))


def turn(invoker: Invoker) -> None:
    """Let the worker go once around its loop."""
    invoker.receive(invoker.inbox.drain(timeout=0))
    invoker.turn(timezone.now())
    invoker.take_back()


def make_room(invoker: Invoker, sender: PatientSender) -> None:
    """Let 75 targets be answered and recorded, and then the worker claim."""
    sender.answer(batches=3)
    turn(invoker)


def handed_over(invoker: Invoker, notification: Notification) -> int:
    """Return how many targets of a notification were given to the lanes."""
    jobs = [job for job in jobs_of(invoker) if job.notification_id == notification.id]
    return sum(len(job.targets) for job in jobs)


def verdict_of(token: str) -> Verdict:
    """Return what the token asks for."""
    word = token.partition("-")[0]
    return (
        Verdict(Meaning(word), word.upper()) if word in set(Meaning) else Verdict(Meaning.ACCEPTED)
    )


def program_with(*names: str, count: int = 1) -> Program:
    """Return a program whose listeners have devices with tokens that begin so."""
    owner = User.objects.create(username=f"talker-{User.objects.count()}")
    program = Program.objects.create(owner=owner, title="Night")
    for name in names:
        for _ in range(count):
            number = User.objects.count()
            user = User.objects.create(username=f"listener-{number}")
            DeviceToken.objects.create(user=user, token=f"{name}-{number}")
            Clip.objects.create(listener=user, program=program)
    return program


def post(program: Program) -> Notification:
    """Return the notification of a new talk."""
    return Talk.objects.create(program=program, title="Hello").notification


class StoppedRate(Rate):
    """A rate for which the time does not pass, or only as much as a test says."""

    moments: Iterator[float] = itertools.repeat(0.0)

    def allowance(self, now: float) -> int:
        """Return how many may be sent at the next of the moments."""
        return super().allowance(next(self.moments))


class UnreliableResults(Results):
    """Results that cannot be written the first so many times, since the database is away."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def record(
        self, entries: Collection[Entry], *, closed_batches: Collection[int], now: datetime
    ) -> None:
        """Write the entries, or raise as if the connection was lost."""
        if self.failures:
            self.failures -= 1
            raise OperationalError("connection lost")
        super().record(entries, closed_batches=closed_batches, now=now)


class NotingRecovery(Recovery):
    """A recovery that remembers what it found at the beginning of each epoch."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(lease)
        self.recovered: list[dict[int, int]] = []

    def recover(self, *, in_flight: Collection[int], now: datetime) -> dict[int, int]:
        """Recover, and note how many targets of which notification are unknown."""
        self.recovered.append(super().recover(in_flight=in_flight, now=now))
        return self.recovered[-1]


def unreliable_repository(*, failures: int) -> Callable[[Lease], Repository]:
    """Return what makes a repository whose results cannot be written so many times."""

    def make(lease: Lease) -> Repository:
        repository = Repository(lease)
        repository.results = UnreliableResults(failures)
        repository.recovery = NotingRecovery(lease)
        return repository

    return make


def worker(
    *,
    once: bool = True,
    rate: Rate | None = None,
    sender: type[InstantSender] = InstantSender,
    repository: Callable[[Lease], Repository] = Repository,
) -> Invoker:
    """Return a worker that has not begun."""
    inbox = Inbox()
    lease = Lease(timedelta(seconds=15))
    queries = repository(lease)
    return Invoker(
        inbox=inbox,
        lease=lease,
        repository=queries,
        sender=sender(inbox),
        testing=InstantTesting(queries.tests, inbox),
        rate=rate or Rate(600_000),
        watchdog=Watchdog(""),
        telemetry=Telemetry(),
        once=once,
    )


def patient_worker() -> tuple[Invoker, PatientSender]:
    """Return a worker that goes on, and its lanes, whose answers come when the test lets them."""
    invoker = worker(once=False, sender=PatientSender)
    assert isinstance(invoker.sender, PatientSender)
    return invoker, invoker.sender


def outcomes() -> Counter[str]:
    """Return how many deliveries have each outcome."""
    return Counter(Delivery.objects.values_list("outcome", flat=True))


def jobs_of(invoker: Invoker) -> list[Job]:
    """Return what was handed to the lanes."""
    assert isinstance(invoker.sender, InstantSender)
    return invoker.sender.jobs


def test_it_ends_when_nothing_is_due() -> None:
    assert worker().run() == 0


def test_a_talk_without_listeners_is_done_at_once() -> None:
    notification = post(program_with())

    worker().run()

    notification.refresh_from_db()
    assert notification.state == Notification.State.DONE


def test_more_targets_than_the_lanes_hold_are_sent_as_they_answer() -> None:
    notification = post(program_with("ok", count=FULL + 30))

    worker().run()

    notification.refresh_from_db()
    assert notification.sent_count == FULL + 30
    assert notification.state == Notification.State.DONE


def test_two_notifications_share_the_lanes() -> None:
    first, second = (post(program_with("ok", count=150)) for _ in range(2))
    invoker = worker()

    invoker.run()

    served = [job.notification_id for job in jobs_of(invoker)]
    assert set(served[:8]) == {first.id, second.id}
    assert outcomes() == {"sent": 300}


def test_a_talk_for_few_does_not_wait_for_one_for_many() -> None:
    large = post(program_with("ok", count=600))
    invoker, sender = patient_worker()
    turn(invoker)
    assert handed_over(invoker, large) == FULL
    small = post(program_with("ok", count=100))
    invoker.opening.timer.ring()

    for _ in range(4):
        make_room(invoker, sender)

    assert handed_over(invoker, small) == 100
    assert handed_over(invoker, large) > FULL


def test_it_is_one_notifications_turn_for_a_while_and_then_the_others() -> None:
    several = [post(program_with("ok", count=550)) for _ in range(3)]
    invoker, sender = patient_worker()
    invoker.rotation.turn_timer.every = AN_HOUR  # it is over when the test says so
    turn(invoker)
    assert sorted(handed_over(invoker, each) for each in several) == [0, 0, FULL]

    make_room(invoker, sender)
    assert sorted(handed_over(invoker, each) for each in several) == [0, 0, FULL + 75]
    invoker.rotation.turn_timer.ring()
    for _ in range(2):
        make_room(invoker, sender)

    assert sorted(handed_over(invoker, each) for each in several) == [0, 75, FULL + 150]


def test_one_that_somebody_keeps_locked_has_its_next_turn_after_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    several = [post(program_with("ok")) for _ in range(2)]
    invoker, _sender = patient_worker()
    first_attempts = Claims.first_attempts
    locked: list[int] = []

    def wait_in_vain(self: Claims, notification_id: int, **about: Any) -> Any:
        locked[:] = locked or [notification_id]  # whichever is first in turn
        if notification_id in locked:
            raise OperationalError("canceling statement due to lock timeout")
        return first_attempts(self, notification_id, **about)

    monkeypatch.setattr(Claims, "first_attempts", wait_in_vain)

    for _ in range(2):
        with suppress(OperationalError):
            turn(invoker)

    assert sorted(handed_over(invoker, each) for each in several) == [0, 1]


def test_what_the_end_of_one_leaves_free_is_the_next_ones() -> None:
    several = [post(program_with("ok", count=200)) for _ in range(2)]
    invoker, _sender = patient_worker()

    turn(invoker)

    assert sorted(handed_over(invoker, each) for each in several) == [FULL - 200, 200]


def test_nothing_is_claimed_before_there_is_room_for_a_claim_that_is_worth_its_price() -> None:
    post(program_with("ok", count=400))
    invoker, sender = patient_worker()
    turn(invoker)
    before = len(jobs_of(invoker))

    for jobs in (0, 2):  # 25 of 280 are free, then 50
        sender.answer(batches=1)
        invoker.recording.timer.ring()
        turn(invoker)
        assert len(jobs_of(invoker)) == before + jobs


def test_a_pause_is_seen_at_the_first_claim_and_not_tried_for_each_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        post(program_with("ok", count=400))
    invoker, sender = patient_worker()
    turn(invoker)
    sender.gave_up = 0
    SendingSwitch.objects.update(paused=True)
    reached: list[str] = []
    monkeypatch.setattr(failpoints, "reach", lambda name, *about: reached.append(name))

    sender.answer(batches=4)
    turn(invoker)

    assert sum(len(job.targets) for job in jobs_of(invoker)) == FULL  # claimed before
    assert reached.count("before_claim") == 1
    assert not invoker.claiming.can_go_on
    assert sender.gave_up == 1


@pytest.mark.parametrize("change", [{"paused": True}, {"mode": SendingSwitch.Mode.DRY_RUN}])
def test_a_stop_of_everything_is_seen_though_nothing_is_left_to_claim(
    change: dict[str, Any],
) -> None:
    notification = post(program_with("ok", count=100))
    invoker, sender = patient_worker()
    turn(invoker)
    invoker.opening.timer.ring()
    turn(invoker)
    assert sender.withdrawn == []
    SendingSwitch.objects.update(**change)

    invoker.opening.timer.ring()
    turn(invoker)

    assert sender.withdrawn == [{notification.id}]
    assert notification.id in invoker.rotation  # it goes on as far as the switch allows


def test_a_low_rate_is_shared() -> None:
    several = [post(program_with("ok", count=5)) for _ in range(2)]
    rate = StoppedRate(60)
    rate.moments = itertools.count(0.0)
    invoker = worker(rate=rate, once=False)

    for _ in range(8):
        invoker.rotation.turn_timer.ring()  # its time passes while the rate says wait
        turn(invoker)

    assert {handed_over(invoker, each) for each in several} <= {2, 3, 4, 5}


def test_a_low_rate_is_kept() -> None:
    post(program_with("ok", count=5))
    invoker = worker(rate=StoppedRate(60))

    for _ in range(3):
        turn(invoker)

    assert sum(len(job.targets) for job in jobs_of(invoker)) == 1
    assert invoker.claiming.throttled


def test_many_unregistered_hold_the_notification_and_disable_nobody() -> None:
    notification = post(program_with("ok", "unregistered", count=60))

    worker().run()

    notification.refresh_from_db()
    assert notification.state == Notification.State.HELD
    assert "UNREGISTERED" in notification.reason
    assert not DeviceToken.objects.filter(disabled_at__isnull=False).exists()


def test_a_released_brake_lets_the_rest_go_out_and_disables_the_refused() -> None:
    count = FULL + 50  # the first worker hears of FULL that are gone, the second of 50
    notification = post(program_with("unregistered", "ok", count=count))
    worker().run()
    held = Notification.objects.get()
    assert (held.state, held.brake) == (Notification.State.HELD, "unregistered")

    Notification.objects.release(reason="anna knows the list is old")
    worker().run()

    notification.refresh_from_db()
    assert notification.state == Notification.State.DONE
    assert notification.sent_count == count
    assert DeviceToken.objects.filter(disabled_at__isnull=False).count() == 50


def test_a_few_unregistered_are_disabled() -> None:
    post(program_with(*["ok"] * 9, "unregistered", count=2))

    worker().run()

    gone = DeviceToken.objects.filter(disabled_at__isnull=False)
    assert {device.token.partition("-")[0] for device in gone} == {"unregistered"}
    assert gone.count() == 2


def test_a_released_notification_goes_on_where_it_was_held() -> None:
    notification = post(program_with("misconfigured", count=3))
    worker().run()
    for device in DeviceToken.objects.all():
        DeviceToken.objects.filter(id=device.id).update(token=f"mended-{device.id}")

    Notification.objects.release(reason="anna mended it")
    worker().run()

    notification.refresh_from_db()
    assert notification.state == Notification.State.DONE
    assert outcomes() == {"sent": 3}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {2}


def test_a_retry_tells_fcm_how_little_time_is_left() -> None:
    post(program_with("unreached"))
    worker().run()
    Notification.objects.update(created_at=timezone.now() - timedelta(minutes=50))
    Delivery.objects.update(next_attempt_at=timezone.now())
    invoker = worker()

    invoker.run()

    (job,) = jobs_of(invoker)
    ttl = json.loads(job.head + b'"token":"t"' + job.tail)["message"]["android"]["ttl"]
    assert 590 <= int(ttl.removesuffix("s")) <= 600


def test_what_waited_too_long_is_not_sent() -> None:
    notification = post(program_with("ok"))
    Notification.objects.update(created_at=timezone.now() - timedelta(hours=2))
    invoker = worker()

    invoker.run()

    notification.refresh_from_db()
    assert notification.state == Notification.State.EXPIRED
    assert jobs_of(invoker) == []


def test_a_talk_named_by_another_producer_is_notified() -> None:
    (talk,) = Talk.objects.bulk_create([Talk(program=program_with("ok"), title="Imported")])
    invoker = worker()
    invoker.inbox.put(TalkPosted(talk.id))

    invoker.run()

    assert outcomes() == {"sent": 1}


def imported_long_ago() -> Talk:
    """Return a talk that another producer inserted two minutes ago; posted_at says now."""
    (talk,) = Talk.objects.bulk_create([Talk(program=program_with("ok"), title="Imported")])
    Talk.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    return talk


def test_an_imported_talk_is_not_announced_by_who_can_only_publish(
    caplog: pytest.LogCaptureFixture,
) -> None:
    invoker = worker()
    invoker.inbox.put(TalkPosted(imported_long_ago().id))

    invoker.run()

    assert not Notification.objects.exists()
    told = [each for each in caplog.records if each.getMessage() == "talk.not_announced"]
    assert [vars(each)["talks"] for each in told] == [1]


def test_an_imported_talk_is_announced_by_who_knows_the_key() -> None:
    talk = imported_long_ago()
    invoker = worker()
    invoker.inbox.put(TalkPosted(talk.id))
    invoker.inbox.put(TalkPosted(talk.id, is_signed=True))

    invoker.run()

    assert outcomes() == {"sent": 1}


def test_a_talk_is_as_old_as_when_its_message_came(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = imported_long_ago()
    invoker = worker()
    heard_at = time.monotonic() - 90  # the database was away since
    with monkeypatch.context() as then:
        then.setattr(time, "monotonic", lambda: heard_at)
        invoker.opening.note_talk(TalkPosted(talk.id))

    invoker.run()

    assert outcomes() == {"sent": 1}


def test_a_deleted_talk_is_not_announced() -> None:
    notification = post(program_with("ok"))
    Talk.objects.all().delete()
    invoker = worker()

    invoker.run()

    notification.refresh_from_db()
    assert notification.state == Notification.State.CANCELLED
    assert jobs_of(invoker) == []


def test_stop_claims_nothing_more() -> None:
    post(program_with("ok"))
    invoker = worker(once=False)
    invoker.inbox.put(Stop("SIGTERM"))

    assert invoker.run() == 0
    assert jobs_of(invoker) == []


def test_a_helper_that_died_ends_the_worker_with_an_error() -> None:
    invoker = worker(once=False)
    invoker.inbox.put(HelperDied("receiver", "KeyError()"))

    assert invoker.run() == EXIT_HELPER_DIED


def test_one_that_cannot_be_started_is_held_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = (post(program_with("ok")) for _ in range(2))
    encode = payload.encode

    def fail_for_the_bad(notification: Notification, *, now: datetime) -> tuple[bytes, bytes]:
        if notification.id == bad.id:
            raise DataError("value too long")
        return encode(notification, now=now)

    monkeypatch.setattr(payload, "encode", fail_for_the_bad)

    worker().run()

    bad.refresh_from_db()
    good.refresh_from_db()
    assert bad.state == Notification.State.HELD
    assert good.state == Notification.State.DONE


def test_those_that_are_begun_do_not_wait_for_all_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifications.worker.opening.BEGIN_SECONDS", 0)
    first, *others = (post(program_with("ok")) for _ in range(3))
    invoker = worker()

    turn(invoker)

    assert [job.notification_id for job in jobs_of(invoker)] == [first.id]
    assert {Notification.objects.get(id=each.id).state for each in others} == {"pending"}
    invoker.run()
    assert outcomes() == {"sent": 3}


def test_stopping_without_a_database_ends_some_time() -> None:
    post(program_with("ok"))
    invoker = worker(once=False, repository=unreliable_repository(failures=1_000))
    invoker.give_up_timer.every = 0
    turn(invoker)  # its answers are there, and cannot be written
    invoker.inbox.put(Stop("SIGTERM"))

    assert invoker.run() == EXIT_GAVE_UP


def test_answers_are_kept_while_the_database_is_away() -> None:
    post(program_with("ok", count=3))
    invoker = worker(repository=unreliable_repository(failures=2))

    invoker.run()

    assert outcomes() == {"sent": 3}
    assert invoker.outage.since is None


def test_what_is_answered_but_not_written_is_not_lost_with_a_lease_in_doubt() -> None:
    post(program_with("ok", count=3))
    invoker = worker(repository=unreliable_repository(failures=1))

    invoker.run()

    assert isinstance(invoker.recovery, NotingRecovery)
    assert invoker.recovery.recovered == [{}, {}]
    assert set(Batch.objects.values_list("state", flat=True)) == {Batch.State.DONE}
    assert outcomes() == {"sent": 3}


def test_the_lanes_know_until_when_the_lease_is_held() -> None:
    invoker = worker(once=False)
    began = time.monotonic()

    turn(invoker)

    assert isinstance(invoker.sender, InstantSender)
    ttl = invoker.lease.ttl.total_seconds()
    assert began + ttl <= invoker.sender.until <= time.monotonic() + ttl


def test_with_each_renewal_of_the_lease_the_worker_learns_the_databases_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoker = worker(once=False)
    turn(invoker)
    in_an_hour = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: in_an_hour)

    invoker.lease_timer.ring()
    turn(invoker)

    assert invoker.clock.now() >= in_an_hour


def test_with_the_lease_what_no_lane_has_begun_to_send_is_given_up() -> None:
    invoker, sender = patient_worker()
    turn(invoker)
    sender.gave_up = 0
    WorkerLease.objects.update(holder="another", epoch=2)

    invoker.lease_timer.ring()
    with pytest.raises(LeaseLostError):
        turn(invoker)
    invoker.on_lease_lost()

    assert (sender.gave_up, sender.until) == (1, 0)


def test_a_worker_that_waits_for_the_lease_begins_nothing() -> None:
    invoker, sender = patient_worker()
    turn(invoker)
    WorkerLease.objects.update(holder="another", epoch=2)

    for _ in range(2):  # it is lost, and then another's
        invoker.lease_timer.ring()
        with suppress(LeaseLostError):
            turn(invoker)

    assert invoker.lease.rival
    assert sender.until == 0


def test_a_new_epoch_begins_nothing_of_what_an_older_one_claimed() -> None:
    invoker, sender = patient_worker()
    turn(invoker)
    invoker.on_database_away(OperationalError("away"))
    sender.gave_up = 0

    turn(invoker)

    assert invoker.lease.epoch == 2
    assert sender.gave_up == 1


def test_what_no_lane_has_begun_to_send_of_a_cancelled_one_is_taken_back() -> None:
    going_on, cancelled = (post(program_with("ok", count=FULL)) for _ in range(2))
    invoker, sender = patient_worker()
    turn(invoker)
    assert sender.withdrawn == []
    acts.cancel(cancelled.id, by=Who("anna", 1), reason="wrong talk", now=timezone.now())

    invoker.opening.timer.ring()
    turn(invoker)
    turn(invoker)

    assert sender.withdrawn == [{cancelled.id}]
    assert invoker.rotation.ids() == [going_on.id]


def told(invoker: Invoker, name: str, **labels: str) -> float | None:
    """Return a metric of the worker."""
    registry = invoker.telemetry.registry
    return registry.get_sample_value(f"radiotalk_sending_{name}", labels)


def test_the_metrics_say_what_the_loop_did() -> None:
    post(program_with("ok", "unregistered", count=20))
    invoker = worker()

    invoker.run()

    assert told(invoker, "results_total", outcome="sent") == 20
    assert told(invoker, "errors_total", outcome="rejected", error="UNREGISTERED") == 20
    assert told(invoker, "first_accepted_seconds_count") == 1
    assert told(invoker, "claim_seconds_count")
    assert told(invoker, "record_seconds_count")


def test_the_first_is_told_when_fcm_accepts_it_and_not_when_a_lane_has_it() -> None:
    # While FCM is away the lanes have it at once, and nobody gets it.
    post(program_with("unreached", "ok", count=25))
    invoker, sender = patient_worker()
    turn(invoker)
    sender.answer(batches=1)
    turn(invoker)
    assert told(invoker, "first_accepted_seconds_count") == 0

    sender.answer(batches=1)
    turn(invoker)

    assert told(invoker, "first_accepted_seconds_count") == 1


def test_a_notification_that_reached_somebody_under_another_worker_has_no_first_any_more() -> None:
    post(program_with("ok", count=2 * FULL))
    first, sender = patient_worker()
    turn(first)
    make_room(first, sender)
    WorkerLease.objects.update(expires_at=timezone.now())
    second, sender = patient_worker()

    turn(second)
    make_room(second, sender)

    assert told(first, "first_accepted_seconds_count") == 1
    assert told(second, "results_total", outcome="sent") == 75
    assert told(second, "first_accepted_seconds_count") == 0
    assert told(second, "errors_total", outcome="unknown", error="WORKER_LOST") == FULL


def test_a_notification_that_reached_nobody_before_a_restart_still_has_its_first() -> None:
    post(program_with("unreached"))
    worker().run()
    Delivery.objects.update(next_attempt_at=timezone.now())
    DeviceToken.objects.update(token="ok-now")
    second = worker()

    second.run()

    assert told(second, "first_accepted_seconds_count") == 1


def test_a_burst_of_429_is_told_as_the_one_time_that_it_halves_the_rate() -> None:
    post(program_with("throttled", count=60))
    invoker = worker(once=False)
    turn(invoker)

    turn(invoker)

    assert told(invoker, "throttled_total") == 1


def test_a_takeover_by_a_worker_with_other_settings_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for rate in (600, 600, 60):
        invoker = worker()
        invoker.lease.settings = partial(dict, RATE=rate)
        invoker.run()

    [record] = [each for each in caplog.records if each.getMessage() == "worker.settings_changed"]
    assert vars(record)["changed"] == "RATE: 600 → 60"


def put_back_while_it_sends(caplog: pytest.LogCaptureFixture) -> tuple[Invoker, PatientSender]:
    """Return a worker with some answers unwritten, and its lanes, under a database put back."""
    post(program_with("ok", count=FULL))
    invoker, sender = patient_worker()
    turn(invoker)
    sender.answer(batches=2)
    Batch.objects.all().delete()
    Notification.objects.update(cursor=0, target_count=0)
    WorkerLease.objects.update(commits=0)
    invoker.lease_timer.ring()
    caplog.clear()
    return invoker, sender


def test_a_database_that_was_put_back_gets_nothing_and_nothing_is_sent_under_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    invoker, sender = put_back_while_it_sends(caplog)
    handed_over = len(sender.jobs)

    assert invoker.run() == EXIT_RESTORED

    assert len(sender.jobs) == handed_over
    assert (sender.until, sender.gave_up > 0) == (0, True)
    assert not Delivery.objects.exists()
    assert not Batch.objects.exists()
    assert "restored?" in invoker.stopping
    assert "sending restored" in invoker.stopping
    assert "database.restored" in caplog.messages


def test_a_worker_that_was_told_to_stop_writes_nothing_into_a_database_put_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    invoker, _sender = put_back_while_it_sends(caplog)
    invoker.on_database_away(OperationalError("away"))
    invoker.inbox.put(Stop("SIGTERM"))

    assert invoker.run() == EXIT_RESTORED

    assert not Delivery.objects.exists()


def test_a_worker_started_anew_after_a_restore_stops_until_an_operator_has_acted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_back_while_it_sends(caplog)[0].run()
    WorkerLease.objects.update(expires_at=timezone.now())
    new = worker()

    assert new.run() == EXIT_RESTORED
    acts.restored(by=Who("anna", 1), reason="last night's", now=timezone.now())
    assert worker().run() == 0

    assert jobs_of(new) == []
    assert Notification.objects.get().state == Notification.State.CANCELLED


def test_that_it_was_put_back_is_found_again_when_it_cannot_be_told_at_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoker, _sender = put_back_while_it_sends(caplog)
    tell = invoker.lease.tell_restored
    tries = iter([OperationalError("away")])

    def tell_at_the_second_try() -> None:
        for error in tries:
            raise error
        tell()

    monkeypatch.setattr(invoker.lease, "tell_restored", tell_at_the_second_try)

    assert invoker.run() == EXIT_RESTORED
    assert WorkerLease.objects.get().remembered_epoch == 1


# --- Operators' tests ------------------------------------------------------------------------


def asked_for(**values: Any) -> TestPush:
    """Return a test to an operator's own device that was just asked for."""
    user = User.objects.create(username=f"operator-{User.objects.count()}")
    device = DeviceToken.objects.create(user=user, token=f"own-{user.username}")
    known = {"by": user.username, "by_id": user.pk, "requested_at": timezone.now()}
    return TestPush.objects.create(pk=uuid4(), device=device, **known | values)


def posted_by(invoker: Invoker) -> int:
    """Return how many tests were posted."""
    assert isinstance(invoker.testing, InstantTesting)
    return len(invoker.testing.posted)


def state_of(test: TestPush) -> tuple[str, str]:
    """Return how far a test has come, by the database."""
    test.refresh_from_db()
    return test.state, test.code


def test_a_test_is_sent_in_a_dry_run_and_in_a_pause() -> None:
    SendingSwitch.objects.change(
        changed_by="anna", now=timezone.now(), reason="", mode="dry_run", paused=True
    )
    test = asked_for()
    invoker = worker()

    invoker.run()

    assert (state_of(test), posted_by(invoker)) == (("sent", ""), 1)


def test_several_tests_are_sent_one_after_the_other() -> None:
    for _ in range(3):
        asked_for()
    invoker = worker()

    invoker.run()

    assert set(TestPush.objects.values_list("state", "epoch")) == {("sent", 1)}
    assert posted_by(invoker) == 3


def test_a_worker_that_waits_for_the_lease_sends_no_test() -> None:
    WorkerLease.objects.create(
        name="sender", holder="another", epoch=1, expires_at=timezone.now() + timedelta(hours=1)
    )
    test = asked_for()
    invoker = worker(once=False)

    turn(invoker)

    assert invoker.lease.rival
    assert (state_of(test), posted_by(invoker)) == (("requested", ""), 0)


def test_a_worker_that_has_lost_the_lease_claims_no_test() -> None:
    invoker = worker(once=False)
    turn(invoker)
    test = asked_for()
    WorkerLease.objects.update(holder="another", epoch=2)

    with pytest.raises(LeaseLostError):
        invoker.testing.begin(timezone.now())

    assert (state_of(test), posted_by(invoker)) == (("requested", ""), 0)


def test_what_an_earlier_worker_had_claimed_is_unknown_and_not_sent() -> None:
    test = asked_for(state="claimed", epoch=0)
    invoker = worker()

    invoker.run()

    assert (state_of(test), posted_by(invoker)) == (("unknown", "WORKER_LOST"), 0)


def test_a_test_that_is_under_way_outlives_the_epoch_of_its_worker() -> None:
    test = asked_for()
    invoker = worker(once=False)
    turn(invoker)
    invoker.on_database_away(OperationalError("away"))
    assert state_of(test) == ("claimed", "")

    invoker.turn(timezone.now())  # a new epoch, before the answer is taken from the inbox

    assert (invoker.lease.epoch, state_of(test)) == (2, ("claimed", ""))
    turn(invoker)
    assert (state_of(test), posted_by(invoker)) == (("sent", ""), 1)


def test_a_late_answer_replaces_unknown_and_no_known_end() -> None:
    unknown, sent = asked_for(state="unknown", code="WORKER_LOST"), asked_for(state="sent")
    queries = worker().testing._tests

    for test in (unknown, sent):
        queries.record(test.pk, TestPush.State.REJECTED, code="UNREGISTERED", now=timezone.now())

    assert state_of(unknown) == ("rejected", "UNREGISTERED")
    assert state_of(sent) == ("sent", "")


def test_a_test_that_has_waited_for_two_minutes_is_not_sent() -> None:
    test = asked_for(requested_at=timezone.now() - TAKEN_WITHIN)
    invoker = worker()

    invoker.run()

    assert (state_of(test), posted_by(invoker)) == (("requested", ""), 0)


def test_a_device_that_is_somebody_elses_by_now_gets_no_test() -> None:
    test = asked_for()
    DeviceToken.objects.update(user=User.objects.create(username="lena"))
    invoker = worker()

    invoker.run()

    assert (state_of(test), posted_by(invoker)) == (("requested", ""), 0)


def test_a_worker_that_stops_waits_for_what_comes_of_a_test() -> None:
    test = asked_for()
    invoker = worker(once=False)
    turn(invoker)
    assert not invoker.idle()

    invoker.inbox.put(Stop("SIGTERM"))

    assert (invoker.run(), state_of(test)) == (0, ("sent", ""))


def test_a_look_without_a_test_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    invoker = worker(once=False)
    turn(invoker)

    with django_assert_num_queries(1):
        invoker.testing.begin(timezone.now())
