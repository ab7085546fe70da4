"""The promise: the demo's count finds whatever is twice, missing or delivered by a dry run."""

from dataclasses import asdict
from typing import Any

import pytest

from fcm_emulator.journal import Entry
from testbed.report import Tally, of_talk, tally


def entry(token: str, *, at: float = 101.0, verdict: str = "accepted", talk_id: int = 1) -> Entry:
    return Entry(
        at=at,
        n=1,
        token=token,
        kind="token",
        validate_only=verdict == "validated",
        verdict=verdict,
        status=200,
        error=None,
        title="Show",
        body="Talk",
        data={"talk_id": str(talk_id)},
        tag=None,
        http="2",
        access_token=None,
    )


def counted(entries: list[Entry], **changes: Any) -> Tally:
    """Return the tally of a live talk with two devices, uploaded at second 100."""
    facts: dict[str, Any] = {
        "dry_run": False,
        "targets": {"a", "b"},
        "recorded": 2,
        "uploaded_at": 100.0,
        "finished_at": 102.0,
    }
    return tally(entries, **(facts | changes))


def test_each_device_once_is_right() -> None:
    count = counted([entry("a", at=100.5), entry("b", at=101.5)])

    assert count.is_right
    assert asdict(count) == {
        "dry_run": False,
        "targets": 2,
        "validated": 0,
        "delivered": 2,
        "twice": 0,
        "missing": 0,
        "recorded": 2,
        "upload_to_first": 0.5,
        "first_to_last": 1.0,
        "upload_to_done": 2.0,
    }


def test_a_device_that_is_notified_twice_is_found() -> None:
    count = counted([entry("a"), entry("b"), entry("b")])

    assert (count.twice, count.is_right) == (1, False)


def test_a_device_that_is_missing_is_found_even_where_another_is_twice() -> None:
    count = counted([entry("a"), entry("a")])

    assert (count.twice, count.missing, count.is_right) == (1, 1, False)


def test_a_refused_send_reaches_nobody() -> None:
    count = counted([entry("a"), entry("b", verdict="refused")])

    assert (count.delivered, count.missing, count.is_right) == (1, 1, False)


def test_a_stranger_is_no_target() -> None:
    count = counted([entry("a"), entry("stranger")])

    assert (count.missing, count.is_right) == (1, False)


def test_a_dry_run_that_delivers_is_wrong() -> None:
    validated = [entry("a", verdict="validated"), entry("b", verdict="validated")]

    assert counted(validated, dry_run=True).is_right
    assert not counted([*validated[:1], entry("b")], dry_run=True).is_right


def test_a_live_talk_that_is_only_validated_is_wrong() -> None:
    assert not counted([entry("a"), entry("b", verdict="validated")]).is_right


@pytest.mark.parametrize("recorded", [1, 3])
def test_a_send_log_that_says_otherwise_is_wrong(recorded: int) -> None:
    assert not counted([entry("a"), entry("b")], recorded=recorded).is_right


def test_nobody_to_notify_proves_nothing() -> None:
    assert not counted([], targets=set(), recorded=0).is_right


def test_another_talk_is_not_counted() -> None:
    entries = [entry("a", talk_id=1), entry("a", talk_id=11)]

    assert of_talk(entries, 1) == entries[:1]
