"""FCM as a client meets it: a real emulator, real connections."""

import contextlib
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h2.connection
import h2.events
import httpx
import pytest

from fcm_emulator.faults import FAULTS, HUGE_BYTES
from fcm_emulator.process import EmulatorProcess, running

from .conftest import Client, connect, wait_until

pytestmark = pytest.mark.engines

NO_ANSWER = httpx.TransportError  # reset while reading or writing, closed, timed out


@pytest.fixture(params=[True, False], ids=["http2", "http1.1"])
def either_client(request: pytest.FixtureRequest, fcm: EmulatorProcess) -> Iterator[Client]:
    """A client over HTTP/2, and one over HTTP/1.1."""
    with connect(fcm, http2=request.param) as client:
        yield client


def verdicts(client: Client, token: str) -> list[tuple[str, int | None, str | None]]:
    return [(each["verdict"], each["status"], each["error"]) for each in client.entries(token)]


def fcm_error(answer: httpx.Response) -> str | None:
    details = answer.json()["error"].get("details", [])
    return next((each["errorCode"] for each in details if "errorCode" in each), None)


def test_a_message_is_accepted_and_gets_a_name(either_client: Client, token: str) -> None:
    answer = either_client.send(token)

    assert answer.status_code == 200
    assert answer.json()["name"].startswith("projects/radiotalk-emulator/messages/0:")
    assert verdicts(either_client, token) == [("accepted", 200, None)]
    assert answer.http_version == f"HTTP/{either_client.entries(token)[0]['http']}"


def test_names_of_messages_differ(client: Client, token: str) -> None:
    names = {client.send(token).json()["name"] for _ in range(20)}

    assert len(names) == 20


def test_a_dry_run_is_validated_and_delivers_nothing(client: Client, token: str) -> None:
    answer = client.post({"message": {"token": token}, "validate_only": True})

    assert answer.status_code == 200
    assert verdicts(client, token) == [("validated", 200, None)]


@pytest.mark.parametrize("authorization", ["", "Bearer ya29.unknown"])
def test_a_request_without_a_known_access_token_is_refused(
    client: Client, token: str, authorization: str
) -> None:
    answer = client.send(token, headers={"Authorization": authorization})

    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert verdicts(client, token) == [("refused", 401, "UNAUTHENTICATED")]


def test_another_project_is_refused(client: Client, token: str) -> None:
    answer = client.send(token, project="somebody-elses")

    assert (answer.status_code, fcm_error(answer)) == (403, None)
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"


def test_an_invalid_message_is_refused_with_the_field_at_fault(client: Client, token: str) -> None:
    answer = client.post({"message": {"token": token, "android": {"ttl": "-1s"}}})

    assert (answer.status_code, fcm_error(answer)) == (400, "INVALID_ARGUMENT")
    violations = answer.json()["error"]["details"][1]["fieldViolations"]
    assert [violation["field"] for violation in violations] == ["message.android.ttl"]
    assert verdicts(client, token) == [("refused", 400, "INVALID_ARGUMENT")]


def test_a_body_that_is_no_json_is_refused(client: Client) -> None:
    assert client.post(b"{").status_code == 400


def test_other_paths_are_not_found(client: Client) -> None:
    answer = client.http.get(f"{client.fcm.url}/v1/projects/radiotalk-emulator/messages:send")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=UTF-8")


ANSWERS: dict[str, tuple[int, str | None]] = {
    "unregistered": (404, "UNREGISTERED"),
    "mismatch": (403, "SENDER_ID_MISMATCH"),
    "invalid": (400, "INVALID_ARGUMENT"),
    "forbidden": (403, None),
    "notfound": (404, None),
    "thirdparty": (401, "THIRD_PARTY_AUTH_ERROR"),
    "expiredauth": (401, None),
    "429after2": (429, "QUOTA_EXCEEDED"),
    "http500": (500, "INTERNAL"),
    "http503": (503, "UNAVAILABLE"),
    "accepted-then-500": (500, "INTERNAL"),
    "accepted-then-503": (503, "UNAVAILABLE"),
}


@pytest.mark.parametrize("marker", ANSWERS)
def test_a_token_gets_the_error_that_it_names(client: Client, token: str, marker: str) -> None:
    answer = client.send(f"{token}-{marker}")

    assert (answer.status_code, fcm_error(answer)) == ANSWERS[marker]
    verdict = "accepted" if marker.startswith("accepted") else "refused"
    assert [entry[:2] for entry in verdicts(client, f"{token}-{marker}")] == [
        (verdict, answer.status_code)
    ]


@pytest.mark.parametrize(
    ("marker", "status", "size", "verdict"),
    [
        ("http502", 502, None, "refused"),
        ("html200", 200, None, "refused"),
        ("redirect", 302, 0, "refused"),
        ("broken-json", 200, None, "accepted"),
        ("empty-body", 200, 0, "accepted"),
        ("no-name", 200, len("{}\n"), "accepted"),
        ("huge-body", 200, HUGE_BYTES, "accepted"),
        ("slow0", 200, None, "accepted"),
    ],
)
def test_a_token_gets_the_odd_answer_that_it_names(
    client: Client, token: str, marker: str, status: int, size: int | None, verdict: str
) -> None:
    answer = client.send(f"{token}-{marker}")

    assert answer.status_code == status
    assert size is None or len(answer.content) == size
    assert [entry[0] for entry in verdicts(client, f"{token}-{marker}")] == [verdict]


@pytest.mark.parametrize(
    ("marker", "verdict"), [("reset-before", "refused"), ("reset-after", "accepted")]
)
def test_a_connection_is_reset_after_the_verdict(
    either_client: Client, token: str, marker: str, verdict: str
) -> None:
    with pytest.raises(NO_ANSWER):
        either_client.send(f"{token}-{marker}")

    assert verdicts(either_client, f"{token}-{marker}") == [(verdict, None, marker)]
    assert either_client.send(token).status_code == 200  # on a connection of its own


@pytest.mark.parametrize(("marker", "verdict"), [("hang-before", "refused"), ("hang", "accepted")])
@pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1.1"])
def test_the_verdict_can_be_read_before_any_answer(
    tmp_path: Path, marker: str, verdict: str, http2: bool
) -> None:
    with (
        running(tmp_path) as fcm,
        connect(fcm, http2=http2) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(client.send, f"dev-{marker}")
        wait_until(lambda: client.entries(f"dev-{marker}"))

        assert not waiting.done()
        fcm.process.kill()
        assert isinstance(waiting.exception(), NO_ANSWER)
    assert verdicts(client, f"dev-{marker}") == [(verdict, None, marker)]


def test_a_dripping_answer_comes_one_byte_at_a_time(client: Client, token: str) -> None:
    url = f"{client.fcm.url}/v1/projects/radiotalk-emulator/messages:send"
    headers = {"Authorization": f"Bearer {client.credentials.token}"}
    message = {"message": {"token": f"{token}-drip"}}

    with client.http.stream("POST", url, headers=headers, json=message) as answer:
        first, second = next(chunks := answer.iter_raw()), next(chunks)

    assert (first, second) == (b"{", b"\n")
    assert verdicts(client, f"{token}-drip") == [("accepted", 200, "drip")]


def test_a_transient_fault_is_over_after_the_first_attempt(client: Client, token: str) -> None:
    statuses = [client.send(f"{token}-once-http503").status_code for _ in range(3)]

    assert statuses == [503, 200, 200]


def test_expired_authorization_is_over_with_a_new_access_token(client: Client, token: str) -> None:
    before = [client.send(f"{token}-expiredauth").status_code for _ in range(2)]
    client.refresh()

    assert [*before, client.send(f"{token}-expiredauth").status_code] == [401, 401, 200]
    hashes = [entry["access_token"] for entry in client.entries(f"{token}-expiredauth")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_every_fault_of_the_table_can_be_met(tmp_path: Path) -> None:
    tokens = {name: f"dev-{name}{'0' if name == '429after' else ''}" for name in FAULTS}
    with (
        running(tmp_path) as fcm,
        connect(fcm, http2=False) as client,  # a connection for each, which it may reset
        ThreadPoolExecutor(len(tokens)) as pool,
    ):

        def ask(token: str) -> None:
            with contextlib.suppress(NO_ANSWER):
                client.post({"message": {"token": token}, "validate_only": True})

        for token in tokens.values():
            pool.submit(ask, token)
        wait_until(lambda: len(fcm.entries()) == len(tokens))
        fcm.process.kill()  # some would never answer

    met = {str(entry["token"]): entry["verdict"] for entry in fcm.entries()}
    dry_run = {True: "validated", False: "refused"}
    assert met == {tokens[name]: dry_run[fault.accepted] for name, fault in FAULTS.items()}


def test_a_request_cut_off_in_its_body_leaves_no_line(fcm: EmulatorProcess, token: str) -> None:
    before = len(fcm.entries())
    context = ssl.create_default_context(cafile=str(fcm.ca_file))
    port = fcm.port
    body = json.dumps({"message": {"token": token}}).encode()
    head = f"POST /v1/projects/x/messages:send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"

    plain = socket.create_connection(("127.0.0.1", port))
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body[:-1])
    with connect(fcm) as client:
        client.send(f"{token}-later")

    assert [entry["token"] for entry in fcm.entries()[before:]] == [f"{token}-later"]


def test_a_stream_reset_in_its_body_leaves_no_line(client: Client, token: str) -> None:
    before = len(client.fcm.entries())
    context = ssl.create_default_context(cafile=str(client.fcm.ca_file))
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", client.fcm.port))
    http2 = h2.connection.H2Connection()
    http2.initiate_connection()
    path = "/v1/projects/radiotalk-emulator/messages:send"
    headers = {":method": "POST", ":scheme": "https", ":authority": "x", ":path": path}

    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        http2.send_headers(1, [*headers.items(), ("content-length", "100")])
        http2.send_data(1, json.dumps({"message": {"token": token}}).encode())
        http2.ping(b"12345678")
        connection.sendall(http2.data_to_send())
        # The answer to the ping says that the server has read what came before it.
        while not answers_ping(http2.receive_data(connection.recv(65536))):
            pass
        http2.reset_stream(1)
        connection.sendall(http2.data_to_send())
    client.send(f"{token}-later")

    assert [entry["token"] for entry in client.fcm.entries()[before:]] == [f"{token}-later"]


def answers_ping(events: list[h2.events.Event]) -> bool:
    return any(isinstance(event, h2.events.PingAckReceived) for event in events)


@pytest.mark.parametrize(
    ("offered", "spoken"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")]
)
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_protocol_is_negotiated_under_a_certificate_that_holds(
    fcm: EmulatorProcess, offered: list[str], spoken: str, name: str
) -> None:
    context = ssl.create_default_context(cafile=str(fcm.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by default
    context.set_alpn_protocols(offered)
    port = fcm.port

    plain = socket.create_connection(("127.0.0.1", port))
    with context.wrap_socket(plain, server_hostname=name) as connection:
        assert connection.selected_alpn_protocol() == spoken


def test_the_page_and_its_news_are_served(client: Client, token: str) -> None:
    client.send(token)

    page = client.http.get(f"{client.fcm.url}/")
    news = client.http.get(f"{client.fcm.url}/phones.json?since=0").json()

    assert "text/html" in page.headers["content-type"]
    assert "prefers-color-scheme: dark" in page.text
    newest: dict[str, Any] = news["cards"][-1]
    assert (newest["title"], newest["body"]) == ("Night Radio", "Episode 42")


def test_latency_delays_the_answer_and_not_the_verdict(tmp_path: Path) -> None:
    with running(tmp_path, latency_ms=500) as fcm, connect(fcm) as client:
        answer = client.send("dev-1")

        assert answer.elapsed.total_seconds() >= 0.5
        assert client.entries("dev-1")[0]["verdict"] == "accepted"


def test_without_tls_it_serves_both_protocols_too(tmp_path: Path, token: str) -> None:
    with running(tmp_path, tls=False) as fcm, httpx.Client(http1=False, http2=True) as http:
        assert fcm.url.startswith("http://")
        assert http.get(fcm.url).http_version == "HTTP/2"
        assert httpx.get(fcm.url).http_version == "HTTP/1.1"


def test_the_journal_survives_a_kill_and_a_restart_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as first, connect(first) as client:
        client.send("dev-1")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        assert len(first.entries()) == 1

    port = first.port
    with running(tmp_path, port=port) as second, connect(second) as client:
        client.send("dev-2")

    assert second.url == first.url
    assert [(entry["n"], entry["token"]) for entry in second.entries()] == [
        (1, "dev-1"),
        (2, "dev-2"),
    ]
