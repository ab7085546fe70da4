"""Markers in tokens, and what they bring about."""

import json
import re
from pathlib import Path

import pytest

from fcm_emulator.answers import Delivery, success
from fcm_emulator.faults import FAULTS, HUGE_BYTES, Faults, Marker, named_in

DOCS = Path(__file__).parents[1] / "README.md"
SUCCESS = success("projects/p/messages/1")

needs_parameter = {"429after": "2"}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("pattern", ["{}", "{}-17", "dev-{}-17", "dev:{}", "dev_{}"])
def test_a_marker_counts_anywhere_in_a_token(name: str, pattern: str) -> None:
    parameter = needs_parameter.get(name, "")

    assert named_in(pattern.format(name + parameter)) == Marker(name, parameter, False)


@pytest.mark.parametrize(
    "token",
    ["dev-17", "dev-429", "dev-500", "dev-503", "changes-1", "slower-2", "xhang", "fK3:APA91b_Q-z"],
)
def test_a_plain_token_is_accepted(token: str) -> None:
    outcome = Faults().outcome(token, 1, SUCCESS)

    assert (outcome.accepted, outcome.answer, outcome.error) == (True, SUCCESS, None)


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("429after2", "2"),
        ("429after0", "0"),
        ("429after86400", "86400"),
        ("429aftergarbage", "soon"),
        ("http503after7", "7"),
        ("http500after7", "7"),
    ],
)
def test_the_marker_says_the_retry_after(token: str, header: str) -> None:
    outcome = Faults().outcome(f"dev-{token}", 1, SUCCESS)

    assert dict(outcome.answer.headers)["retry-after"] == header
    assert not outcome.accepted


def test_a_retry_after_can_be_a_date() -> None:
    outcome = Faults().outcome("dev-429afterdate", 1, SUCCESS)

    assert dict(outcome.answer.headers)["retry-after"].endswith("GMT")


@pytest.mark.parametrize("token", ["429afternone", "http503"])
def test_a_retry_after_can_be_absent(token: str) -> None:
    outcome = Faults().outcome(f"dev-{token}", 1, SUCCESS)

    assert "retry-after" not in dict(outcome.answer.headers)


@pytest.mark.parametrize(("token", "seconds"), [("slow", 10.0), ("slow2", 2.0)])
def test_the_marker_says_how_slow(token: str, seconds: float) -> None:
    outcome = Faults().outcome(f"dev-{token}", 1, SUCCESS)

    assert (outcome.accepted, outcome.delay_seconds) == (True, seconds)


def test_a_fault_that_comes_once_hits_the_first_request_of_each_token() -> None:
    faults = Faults()

    def accepted(token: str) -> bool:
        return faults.outcome(token, 1, SUCCESS).accepted

    assert [accepted("dev-1-once-http503") for _ in range(3)] == [False, True, True]
    assert not accepted("dev-2-once-http503")


def test_expired_authorization_passes_with_a_newer_access_token() -> None:
    faults = Faults()

    statuses = [faults.outcome("dev-expiredauth", serial, SUCCESS).status for serial in (5, 5, 6)]

    assert statuses == [401, 401, 200]


def test_an_answer_that_never_comes_has_no_status() -> None:
    silent = {
        name
        for name, fault in FAULTS.items()
        if fault.delivery in (Delivery.NEVER, Delivery.RESET)
        and Faults().outcome(name, 1, SUCCESS).status is None
    }

    assert silent == {"hang", "hang-before", "reset-before", "reset-after"}


@pytest.mark.parametrize("name", ["broken-json", "empty-body"])
def test_a_spoilt_body_is_no_json(name: str) -> None:
    outcome = Faults().outcome(name, 1, SUCCESS)

    assert outcome.accepted
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(outcome.answer.body)


def test_a_huge_body_is_json_all_the_same() -> None:
    body = Faults().outcome("huge-body", 1, SUCCESS).answer.body

    assert len(body) == HUGE_BYTES
    assert json.loads(body) == {"name": "projects/p/messages/1"}


def test_the_docs_show_the_table_of_faults_and_nothing_else() -> None:
    shown = re.findall(r"^\| `([^`]+)` \| (.+) \|$", DOCS.read_text(), flags=re.MULTILINE)

    assert dict(shown) == {name: fault.meaning for name, fault in FAULTS.items()}
