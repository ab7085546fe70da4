"""The table of outcomes: what an answer means, and that nothing untrusted is believed."""

import json
import time
from collections.abc import Iterator
from typing import Any

import firebase_admin
import pytest
from firebase_admin import credentials, exceptions, messaging

from fcm_emulator import answers
from fcm_emulator.faults import FAULTS
from fcm_emulator.process import EmulatorProcess, running
from notifications.fcm.connection import Connection
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.failures import NOTHING_WAS_SENT, Failure
from notifications.fcm.outcomes import (
    NOT_YET,
    USUAL_SUCCESS,
    Answer,
    Meaning,
    Verdict,
    classify,
    classify_success,
    parse,
)

NAME = "projects/radiotalk/messages/0:1795475874222594%00000000000408ae"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def error(status: int, name: str, code: str | None = None, *, message: str = "") -> Answer:
    """Return an error as FCM writes it; `code` is that of its FcmError."""
    details = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    content = {"code": status, "message": message, "status": name, "details": details}
    return Answer(status=status, body=json.dumps({"error": content}).encode())


def success(content: Any) -> Answer:
    """Return a 200 with this JSON."""
    return Answer(status=200, body=json.dumps(content).encode())


def test_a_200_with_a_name_was_accepted() -> None:
    assert classify(success({"name": NAME})) == Verdict(Meaning.ACCEPTED, message_id=NAME)


@pytest.mark.parametrize(
    "body",
    [
        '{"name":"%s"}',
        '{\n  "name": "%s"\n}\n',  # as FCM writes it
        ' \t\r\n{ "name" : "%s" } ',
    ],
)
def test_the_usual_answer_is_read_at_a_glance_as_the_parser_reads_it(body: str) -> None:
    text = (body % NAME).encode()

    assert USUAL_SUCCESS.fullmatch(text)
    assert classify(Answer(status=200, body=text)) == classify_success(json.loads(text))


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"projects\\/p\\/messages\\/1"}',  # escaped: the parser's
        b'{"name":"a\x00b"}',
        '{"name":"夜"}'.encode(),
        b'{"name":""}',
        b'{"name":"%s"}' % (b"n" * 256),
        b'{"name":"a","name":"b"}',
        b'{"name":"a"}{',
        b'\x0b{"name":"a"}',  # white to Python, and not to JSON
        b'{"name":"a","error":{}}',
    ],
)
def test_what_is_not_quite_usual_is_left_to_the_parser(body: bytes) -> None:
    assert not USUAL_SUCCESS.fullmatch(body)
    assert classify(Answer(status=200, body=body)) == classify_success(parse(body))


@pytest.mark.parametrize(
    ("answer", "meaning", "code"),
    [
        (error(404, "NOT_FOUND", "UNREGISTERED"), "unregistered", "UNREGISTERED"),
        (error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), "mismatched", "SENDER_ID_MISMATCH"),
        (error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), "invalid", "INVALID_ARGUMENT"),
        (error(400, "INVALID_ARGUMENT"), "invalid", "INVALID_ARGUMENT"),
        (error(400, "FAILED_PRECONDITION"), "misconfigured", "FAILED_PRECONDITION"),
        (error(403, "PERMISSION_DENIED"), "misconfigured", "PERMISSION_DENIED"),
        (error(404, "NOT_FOUND"), "misconfigured", "NOT_FOUND"),
        (error(401, "UNAUTHENTICATED"), "unauthenticated", "UNAUTHENTICATED"),
        (
            error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
            "misconfigured",
            "THIRD_PARTY_AUTH_ERROR",
        ),
        (error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), "throttled", "QUOTA_EXCEEDED"),
        (error(500, "INTERNAL", "INTERNAL"), "unavailable", "INTERNAL"),
        (error(503, "UNAVAILABLE", "UNAVAILABLE"), "unavailable", "UNAVAILABLE"),
        (error(503, "UNAVAILABLE"), "unavailable", "UNAVAILABLE"),
        (error(502, "UNAVAILABLE", "UNAVAILABLE"), "unknown", "UNAVAILABLE"),
        (error(504, "DEADLINE_EXCEEDED"), "unknown", "DEADLINE_EXCEEDED"),
        (error(418, "UNREGISTERED", "UNREGISTERED"), "unknown", "UNREGISTERED"),
    ],
)
def test_an_error_of_fcm_is_told_by_status_and_code(
    answer: Answer, meaning: str, code: str
) -> None:
    assert classify(answer) == Verdict(Meaning(meaning), code=code)


@pytest.mark.parametrize("failure", sorted(NOTHING_WAS_SENT))
def test_that_nothing_was_sent_is_unreached(failure: Failure) -> None:
    assert classify(Answer(failure)) == Verdict(Meaning.UNREACHED, code=failure)


def test_what_fcm_says_that_it_did_not_process_can_be_attempted_again() -> None:
    verdict = classify(Answer(Failure.NOT_PROCESSED))

    assert verdict == Verdict(Meaning.NOT_PROCESSED, code="NOT_PROCESSED")
    assert verdict.meaning in NOT_YET


@pytest.mark.parametrize(
    "failure", sorted(set(Failure) - NOTHING_WAS_SENT - {Failure.NOT_PROCESSED})
)
def test_every_other_failure_may_have_been_delivered(failure: Failure) -> None:
    assert classify(Answer(failure)) == Verdict(Meaning.UNKNOWN, code=failure)


def test_a_failure_counts_more_than_the_status_that_came_before_it() -> None:
    cut_short = Answer(Failure.CONNECTION_LOST, status=404, body=answers.UNREGISTERED.body)

    assert classify(cut_short) == Verdict(Meaning.UNKNOWN, code="CONNECTION_LOST")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"projects/radiotalk/messages/1"',
        b'{"name": ',
        b'{"name": ""}',
        b'{"name": null}',
        b'{"name": 17}',
        b'{"name": ["projects/radiotalk/messages/1"]}',
        b'{"Name": "projects/radiotalk/messages/1"}',
        b"<!DOCTYPE html><title>Welcome to the hotel's network</title>",
        b"\xff\xfe\xfa",
        b"[" * 60_000,
        b'{"name":' * 8_000,
        b'{"name": ' + b"9" * 60_000 + b"}",
    ],
    ids=lambda body: body[:24],
)
def test_a_200_that_is_not_fcms_proves_nothing(body: bytes) -> None:
    verdict = classify(Answer(status=200, body=body))

    assert verdict == Verdict(Meaning.UNKNOWN, code="NO_MESSAGE_NAME")


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", "a\nb", "\x1b[2J"])
def test_a_name_that_no_database_would_keep_proves_nothing(name: str) -> None:
    assert classify(success({"name": name})).meaning is Meaning.UNKNOWN


def test_a_huge_name_fits_into_the_log() -> None:
    assert len(classify(success({"name": "n" * 60_000})).message_id) == 255


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Service Unavailable</html>",
        b"[]",
        b'{"error": "UNAVAILABLE"}',
        b'{"error": {}}',
        b'{"error": {"status": 503}}',
        b'{"error": {"status": ""}}',
        b'{"error": {"details": "UNAVAILABLE"}}',
        b'{"error": {"details": [null, 7, [], {"errorCode": 7}]}}',
        b'{"error": {"details": [{"errorCode": "\\ud800"}]}}',
        b"[" * 60_000,
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_5xx_that_is_not_fcms_may_have_been_delivered(status: int, body: bytes) -> None:
    verdict = classify(Answer(status=status, body=body))

    assert verdict == Verdict(Meaning.UNKNOWN, code=f"HTTP_{status}")


@pytest.mark.parametrize("status", [100, 201, 204, 301, 302, 307, 408, 409, 413, 501, 505, 599])
def test_any_other_status_may_have_been_delivered(status: int) -> None:
    answer = Answer(status=status, body=json.dumps({"name": NAME}).encode())

    assert classify(answer) == Verdict(Meaning.UNKNOWN, code=f"HTTP_{status}")


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_that_is_not_fcms_never_blames_the_device(status: int) -> None:
    page = Answer(status=status, body=b"<html>UNREGISTERED INVALID_ARGUMENT</html>")

    assert classify(page) == Verdict(Meaning.MISCONFIGURED, code=f"HTTP_{status}")


@pytest.mark.parametrize("status", [401, 429])
def test_these_were_not_accepted_whoever_says_so(status: int) -> None:
    meaning = classify(Answer(status=status, body=b"<html>")).meaning

    assert meaning in (Meaning.UNAUTHENTICATED, Meaning.THROTTLED)


@pytest.mark.parametrize(
    "answer",
    [
        error(404, "NOT_FOUND", message="UNREGISTERED: NotRegistered"),
        error(403, "PERMISSION_DENIED", message="SENDER_ID_MISMATCH"),
        error(400, "FAILED_PRECONDITION", message="INVALID_ARGUMENT"),
    ],
)
def test_the_text_of_a_message_decides_nothing(answer: Answer) -> None:
    assert classify(answer).meaning is Meaning.MISCONFIGURED


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "UNREGISTERED"), (404, "INVALID_ARGUMENT"), (403, "UNREGISTERED"), (404, "INTERNAL")],
)
def test_a_code_under_another_status_does_not_blame_the_device(status: int, code: str) -> None:
    assert classify(error(status, code, code)).meaning is Meaning.MISCONFIGURED


def test_the_code_is_found_behind_other_details() -> None:
    content = json.loads(answers.UNREGISTERED.body)
    content["error"]["details"].insert(0, {"@type": "google.rpc.Help", "links": []})
    answer = Answer(status=404, body=json.dumps(content).encode())

    assert classify(answer) == Verdict(Meaning.UNREGISTERED, code="UNREGISTERED")


def test_a_huge_code_fits_into_the_log() -> None:
    assert len(classify(error(503, "X" * 60_000)).code) == 100


# --- The contract: what Google's own SDK makes of the same answers ------------------------------

# What a device token asks of the emulator, the SDK's error class, and our meaning.
CONTRACT = [
    ("unregistered", messaging.UnregisteredError, Meaning.UNREGISTERED),
    ("mismatch", messaging.SenderIdMismatchError, Meaning.MISMATCHED),
    ("invalid", exceptions.InvalidArgumentError, Meaning.INVALID),
    ("forbidden", exceptions.PermissionDeniedError, Meaning.MISCONFIGURED),
    ("notfound", exceptions.NotFoundError, Meaning.MISCONFIGURED),
    ("thirdparty", messaging.ThirdPartyAuthError, Meaning.MISCONFIGURED),
    ("429afternone", messaging.QuotaExceededError, Meaning.THROTTLED),
    ("http500after1", exceptions.InternalError, Meaning.UNAVAILABLE),
    ("http503after1", exceptions.UnavailableError, Meaning.UNAVAILABLE),
    ("http502", exceptions.UnknownError, Meaning.UNKNOWN),
    ("html200", exceptions.UnknownError, Meaning.UNKNOWN),
    ("broken-json", exceptions.UnknownError, Meaning.UNKNOWN),
    ("empty-body", exceptions.UnknownError, Meaning.UNKNOWN),
]

# Where the SDK answers another question than ours, so that nothing can be compared.
NOT_COMPARED = {
    "expiredauth": "it refreshes the access token by itself, as our sender does",
    "accepted-then-500": "the answer is that of http500",
    "accepted-then-503": "the answer is that of http503",
    "redirect": "it follows, and reports what it finds there",
    "reset-before": "it sends twice",
    "reset-after": "it sends twice",
    "hang": "it sends twice",
    "hang-before": "it sends twice",
    "no-name": "it raises a KeyError",
    "huge-body": "it reads a megabyte",
    "slow": "it is accepted",
    "drip": "it waits for as long as it drips",
}

DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation


@pytest.fixture(scope="module")
def fcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Yield an emulator."""
    with running(tmp_path_factory.mktemp("fcm")) as process:
        yield process


@pytest.fixture
def app(fcm: EmulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[firebase_admin.App]:
    """Yield firebase-admin with nothing changed but FCM's address and the trusted authority."""
    address = f"{fcm.url}/v1/projects/{{0}}/messages:send"
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(fcm.ca_file))
    certificate = credentials.Certificate(str(fcm.service_account_file))
    app = firebase_admin.initialize_app(
        certificate, {"httpTimeout": DEADLINE_SECONDS}, name="contract"
    )
    yield app
    firebase_admin.delete_app(app)


def ask(fcm: EmulatorProcess, fid: str) -> Answer:
    """Return the answer that our own connection gets."""
    access = AccessToken(str(fcm.service_account_file), ca_file=str(fcm.ca_file))
    url = f"{fcm.url}/v1/projects/{access.project_id}/messages:send"
    connection = Connection(Endpoint(url, str(fcm.ca_file), DEADLINE_SECONDS))
    body = json.dumps({"message": {"fid": fid, "notification": {"title": "Night Radio"}}})
    connection.post(fid, body.encode(), authorization=access.header())
    deadline = time.monotonic() + 2 * DEADLINE_SECONDS
    while not (found := connection.wait(0.01)):
        assert time.monotonic() < deadline, "no answer came"
    connection.close()
    return found[0][1]


@pytest.mark.engines
@pytest.mark.parametrize(("fault", "error", "meaning"), CONTRACT)
def test_our_table_agrees_with_the_sdk(
    app: firebase_admin.App,
    fcm: EmulatorProcess,
    fault: str,
    error: type[Exception],
    meaning: Meaning,
) -> None:
    message = messaging.Message(
        fid=f"sdk-{fault}", notification=messaging.Notification(title="Night Radio")
    )

    with pytest.raises(error) as raised:
        messaging.send(message, app=app)

    assert type(raised.value) is error
    assert classify(ask(fcm, f"ours-{fault}")).meaning is meaning


@pytest.mark.engines
def test_our_table_agrees_with_the_sdk_on_what_was_accepted(
    app: firebase_admin.App, fcm: EmulatorProcess
) -> None:
    message = messaging.Message(fid="sdk", notification=messaging.Notification(title="Night Radio"))

    name = messaging.send(message, app=app)

    ours = classify(ask(fcm, "ours")).message_id
    assert ours.rpartition("/")[0] == name.rpartition("/")[0]


def test_the_contract_leaves_out_no_answer_of_the_emulator() -> None:
    compared = {name for name in FAULTS for fault, _, _ in CONTRACT if fault.startswith(name)}

    assert compared | set(NOT_COMPARED) == set(FAULTS)
