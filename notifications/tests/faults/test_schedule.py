"""What a random round will do is decided before it begins."""

from notifications.tests.faults.schedule import WAYS, schedule

SEEDS = range(200)


def test_the_same_seed_is_the_same_round() -> None:
    assert [schedule(seed) for seed in SEEDS] == [schedule(seed) for seed in SEEDS]


def test_nothing_breaks_that_is_broken_already() -> None:
    for seed in SEEDS:
        whole_again: dict[str, float] = {}
        for step in schedule(seed).steps:
            assert whole_again.get(step.part, 0) <= step.at
            whole_again[step.part] = step.at + step.lasts


def test_every_part_breaks_in_every_way_among_some_rounds() -> None:
    steps = [step for seed in SEEDS for step in schedule(seed).steps]

    found = {(step.part, step.way) for step in steps}

    assert {("worker 1", way) for way in WAYS["worker"]} <= found
    assert {("worker 2", way) for way in WAYS["worker"]} <= found
    assert {("postgresql", "kill"), ("postgresql", "stop"), ("redis", "kill")} <= found
    assert {("key", "rotate"), ("name server", "silence")} <= found
    assert any(step.part == "fcm" and step.lasts >= 5 for step in steps)
    assert {("web", "kill"), ("fcm", "kill"), ("fcm", "freeze"), ("redis", "freeze")} <= found


def test_in_some_rounds_workers_are_only_stopped_cleanly() -> None:
    assert any(
        not schedule(seed).kills("worker")
        and any(step.way == "stop" for step in schedule(seed).steps)
        for seed in SEEDS
    )
