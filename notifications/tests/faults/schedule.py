"""What happens in a random round, and when: decided by a seed alone, before it begins."""

import random
from dataclasses import dataclass

# The shape of a round: so many talks, posted within so many seconds.
TALKS = 20
POSTING_SECONDS = 1.5
# What breaks is broken in this time, and whole again a little later.
BREAKING_SECONDS = 2.0
LEAST_STEPS, MOST_STEPS = 3, 8

# How each part may break; a worker is `worker 1` or `worker 2`.
WAYS = {
    "worker": ("kill", "stop", "hang up", "quit", "freeze"),
    "web": ("kill", "stop", "freeze"),
    "postgresql": ("kill", "stop"),
    "redis": ("kill", "stop", "freeze"),
    "fcm": ("kill", "freeze"),
    "key": ("rotate",),  # the service account's
    "name server": ("silence",),
}
# Workers are what it is about.
WEIGHTS = {
    "worker": 6, "web": 1, "postgresql": 2, "redis": 1, "fcm": 2, "key": 1, "name server": 1,
}  # fmt: skip

# Meanwhile so many listeners leave (listeners.py).
LEAVINGS = 8
WAYS_TO_LEAVE = ("unclip", "mute", "unregister", "move")
# And an operator asks for so many tests: one follows the other, so that each kill meets one.
TESTS = 10

# How long it stays so, in seconds: a moment, or a while; of a worker also past its lease, and of
# FCM so long that it is an outage.
LASTS = ((0.05, 0.4), (0.4, 1.0))
LONGER = {"worker": ((2.2, 2.6),), "fcm": ((5.0, 5.5),)}


@dataclass(frozen=True, slots=True)
class Step:
    """At `at` seconds `part` breaks, in this way, for so many seconds."""

    at: float
    part: str
    way: str
    lasts: float

    def __str__(self) -> str:
        """Return the step for people."""
        return f"{self.at:4.2f} s: {self.way} {self.part} for {self.lasts:.2f} s"


@dataclass(frozen=True, slots=True)
class Leaving:
    """At `at` seconds a listener leaves, in this way."""

    at: float
    way: str

    def __str__(self) -> str:
        """Return the leaving for people."""
        return f"{self.at:4.2f} s: a listener leaves: {self.way}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One round."""

    seed: int
    workers: int
    posts: tuple[float, ...]  # when each talk is posted, in seconds
    steps: tuple[Step, ...]
    leavings: tuple[Leaving, ...]
    tests: tuple[float, ...]  # when each is asked for, in seconds

    def kills(self, part: str) -> int:
        """Return how often a part (all workers are one) is killed."""
        return sum(step.part.startswith(part) and step.way == "kill" for step in self.steps)


def schedule(seed: int) -> Schedule:
    """Return the round of a seed; every fourth has workers that are only stopped cleanly."""
    decide = random.Random(seed)
    workers = decide.choice((1, 2))
    gentle = decide.random() < 0.25
    posts = sorted(decide.uniform(0, POSTING_SECONDS) for _ in range(TALKS))
    breaking = steps(decide, workers, gentle=gentle)
    leaving = leavings(decide)
    tests = sorted(decide.uniform(0, BREAKING_SECONDS) for _ in range(TESTS))
    return Schedule(
        seed, workers, tuple(posts), tuple(breaking), leavings=tuple(leaving), tests=tuple(tests)
    )


def leavings(decide: random.Random) -> list[Leaving]:
    """Return who leaves, in order."""
    times = sorted(decide.uniform(0, BREAKING_SECONDS) for _ in range(LEAVINGS))
    return [Leaving(at, decide.choice(WAYS_TO_LEAVE)) for at in times]


def steps(decide: random.Random, workers: int, *, gentle: bool) -> list[Step]:
    """Return what breaks, in order; nothing breaks that is broken already."""
    whole_again: dict[str, float] = {}
    found = []
    times = (
        decide.uniform(0, BREAKING_SECONDS) for _ in range(decide.randint(LEAST_STEPS, MOST_STEPS))
    )
    for at in sorted(times):
        kind = decide.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        part = f"worker {decide.randint(1, workers)}" if kind == "worker" else kind
        way = decide.choice(WAYS[kind])
        lasts = decide.uniform(*decide.choice((*LASTS, *LONGER.get(kind, ()))))
        doubtful = way == "kill" and kind in ("worker", "fcm")
        if whole_again.get(part, 0) <= at and not (gentle and doubtful):
            found.append(Step(at, part, way, lasts))
            whole_again[part] = at + lasts
    return found
