"""The journal can be read at any moment, and goes on after a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from fcm_emulator.answers import UNREGISTERED, Outcome, refused, success
from fcm_emulator.journal import Entry, Journal, read
from fcm_emulator.message import read as read_message

ACCEPTED = Outcome(accepted=True, answer=success("projects/p/messages/1"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal.jsonl"


def enter(journal: Journal, outcome: Outcome = ACCEPTED, **content: Any) -> Entry:
    body = json.dumps({"message": {"token": "dev-1"}} | content).encode()
    return journal.enter(read_message(body), outcome, at=1.5, http="2", access_token="abc")


def test_a_line_says_what_a_phone_would_have_shown(file: Path) -> None:
    message = {
        "token": "dev-1",
        "notification": {"title": "夜のラジオ", "body": "第42回"},
        "data": {"notification_id": "7"},
        "android": {"notification": {"tag": "talk-42"}},
    }

    enter(Journal(file), message=message)

    assert read(file) == [
        {
            "at": 1.5,
            "n": 1,
            "token": "dev-1",
            "kind": "token",
            "validate_only": False,
            "verdict": "accepted",
            "status": 200,
            "error": None,
            "title": "夜のラジオ",
            "body": "第42回",
            "data": {"notification_id": "7"},
            "tag": "talk-42",
            "http": "2",
            "access_token": "abc",
        }
    ]


def test_a_line_is_in_the_file_at_once(file: Path) -> None:
    journal = Journal(file)

    for count in (1, 2, 3):
        enter(journal)
        assert len(read(file)) == count


def test_a_refusal_carries_its_error(file: Path) -> None:
    entry = enter(Journal(file), refused(UNREGISTERED))

    assert (entry["verdict"], entry["status"], entry["error"]) == ("refused", 404, "UNREGISTERED")


def test_a_dry_run_is_validated_and_not_accepted(file: Path) -> None:
    assert enter(Journal(file), validate_only=True)["verdict"] == "validated"


def test_a_refused_dry_run_is_refused(file: Path) -> None:
    entry = enter(Journal(file), refused(UNREGISTERED), validate_only=True)

    assert entry["verdict"] == "refused"


def test_a_restart_goes_on_in_the_same_file(file: Path) -> None:
    enter(Journal(file))
    enter(Journal(file))

    assert [entry["n"] for entry in read(file)] == [1, 2]


def test_a_line_that_is_being_written_is_not_read_yet(file: Path) -> None:
    enter(Journal(file))
    with file.open("a") as lines:
        lines.write('{"at": 2')

    assert len(read(file)) == 1


def test_text_that_is_no_unicode_is_kept_as_it_was_sent(file: Path) -> None:
    enter(Journal(file), message={"token": "t", "notification": {"title": "\ud800"}})

    assert read(file)[0]["title"] == "\ud800"


@pytest.mark.parametrize("message", [None, [], "x", {"notification": []}, {"android": 1}])
def test_what_makes_no_sense_is_written_down_too(file: Path, message: Any) -> None:
    entry = enter(Journal(file), message=message)

    assert (entry["token"], entry["title"], entry["tag"]) == (None, None, None)
