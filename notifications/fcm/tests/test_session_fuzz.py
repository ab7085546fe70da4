"""Whatever a server says and wherever the connection is cut, a request ends once, and truly so.

FUZZ_EXAMPLES=200000 runs so many examples of each test.
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .honest_server import LIMITS, WINDOWS
from .replay import Replay, damaged, invented, some_requests
from .world import STEP_BYTES, World, steps

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# How many bytes the socket takes, in all.
ROOM = st.just(10**9) | st.integers(0, 2_000)

TALK = [
    *["rest", "begin", "begin", "begin", "flow", "flow", "head", "part", "end", "answer", "answer"],
    *["interim", "reset", "refuse", "settings", "widen", "ping"],
]
ANYTHING = [*TALK, *["write", "arrive", "tell"] * 2, "wait", "goaway", "cut"]


@fuzz
@given(
    limit=st.sampled_from(LIMITS),
    window=st.sampled_from(WINDOWS),
    is_open=st.booleans(),
    drawn=st.binary(min_size=30 * STEP_BYTES, max_size=150 * STEP_BYTES),
    is_cut=st.booleans(),
)
def test_every_request_ends_once_and_as_the_server_knows_it(
    limit: int, window: int, is_open: bool, drawn: bytes, is_cut: bool
) -> None:
    world = World(limit, window)

    for step in steps(["flow"], bytes(STEP_BYTES * is_open)) + steps(ANYTHING, drawn):
        world.play(step)

    world.finish(is_cut=is_cut)


@fuzz
@given(
    drawn=st.binary(min_size=20 * STEP_BYTES, max_size=60 * STEP_BYTES),
    damages=st.lists(st.binary(min_size=6, max_size=6), min_size=1, max_size=4),
    room=ROOM,
)
def test_a_damaged_recording_of_a_server_does_no_harm(
    drawn: bytes, damages: list[bytes], room: int
) -> None:
    world = World(LIMITS[0], WINDOWS[0])
    for step in steps(["flow"], bytes(STEP_BYTES)) + steps(TALK, drawn):
        world.play(step)
    world.finish(is_cut=False)
    heard, index, at = world.heard, 0, 0
    replay, undamaged = Replay(room), Replay(room)

    for damage in damages:
        heard, index, at = damaged(heard, damage)
    replay.play(heard)

    if len(damages) == 1:  # what came before the damage is believed
        undamaged.play([*world.heard[:index], ("say", world.heard[index][1][:at])])
        assert replay.answers[: len(undamaged.answers)] == undamaged.answers
    replay.finish()


@fuzz
@given(
    count=st.integers(1, 6),
    frames_drawn=st.lists(st.binary(max_size=400), min_size=1, max_size=4),
    noise=st.binary(max_size=40),
    room=ROOM,
)
def test_invented_frames_and_noise_do_no_harm(
    count: int, frames_drawn: list[bytes], noise: bytes, room: int
) -> None:
    replay = Replay(room)
    replay.play(some_requests(count))

    replay.play([("say", invented(drawn)) for drawn in frames_drawn])
    replay.play([("say", noise)])

    replay.finish()


@fuzz
@given(noise=st.lists(st.binary(max_size=300), min_size=1, max_size=4), is_open=st.booleans())
def test_noise_does_no_harm(noise: list[bytes], is_open: bool) -> None:
    replay = Replay(room=100_000)
    replay.play(some_requests(3) if is_open else [])

    replay.play([("say", piece) for piece in noise])

    replay.finish()
