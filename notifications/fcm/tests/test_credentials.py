"""The access token: refreshed once for all lanes, over TLS that is verified, and never shown."""

import base64
import gzip
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from fcm_emulator import certificates, oauth
from notifications.fcm import credentials, key
from notifications.fcm.credentials import AccessToken
from notifications.fcm.key import CredentialsRefusedError, CredentialsUnavailableError
from notifications.fcm.token_endpoint import MOST_ANSWER_BYTES
from testbed.process import LOOPBACK, free_port

THREADS = 20
REFUSAL = b'{"error": "invalid_grant"}'
PAGE = b"<!DOCTYPE html><title>Welcome to the hotel's network</title>"

Reply = Callable[[int], tuple[int, bytes]]


def token(number: int) -> tuple[int, bytes]:
    """Return the answer with access token `number`, good for an hour."""
    return 200, json.dumps({"access_token": f"at-{number}", "expires_in": 3599}).encode()


@dataclass
class TokenEndpoint:
    """Answers request number n with `reply(n)`, and remembers the requests."""

    reply: Reply = token
    headers: dict[str, str] = field(default_factory=dict)  # more of them, in each answer
    requests: list[bytes] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def serving(self, tls: certificates.Certificates) -> Iterator[str]:
        """Yield its address, which has this certificate."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                endpoint.requests.append(self.rfile.read(size))
                status, body = endpoint.reply(len(endpoint.requests))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                for name, value in endpoint.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # the client has gone
                    self.wfile.write(body)

            def do_GET(self) -> None:
                endpoint.requests.append(b"GET")
                self.send_error(404)

            def log_message(self, *args: Any) -> None:
                """Keep the tests' output clean."""

        with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
            server.socket = context_of(tls).wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            try:
                yield f"https://{LOOPBACK}:{server.server_port}/token"
            finally:
                server.shutdown()
                thread.join()


def context_of(found: certificates.Certificates) -> ssl.SSLContext:
    """Return what a server with this certificate needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(found.server, found.key)
    return context


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Return certificates of an authority that nobody else knows."""
    return certificates.prepare(tmp_path_factory.mktemp("tls"), datetime.now(UTC))


@pytest.fixture
def endpoint(tls: certificates.Certificates) -> Iterator[TokenEndpoint]:
    """Yield a token endpoint that the test may make answer otherwise."""
    endpoint = TokenEndpoint()
    with endpoint.serving(tls) as endpoint.url:
        yield endpoint


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """Return where the service account file is."""
    return tmp_path / "service-account.json"


@pytest.fixture
def access(endpoint: TokenEndpoint, account: Path, tls: certificates.Certificates) -> AccessToken:
    """Return an access token of a service account that knows the endpoint."""
    return access_to(endpoint.url, account, ca_file=str(tls.ca))


def access_to(url: str, account: Path, *, ca_file: str = "") -> AccessToken:
    """Return the access token of a new service account for this endpoint."""
    oauth.write_service_account(account, url)
    return AccessToken(str(account), ca_file=ca_file)


def test_the_project_is_that_of_the_service_account(access: AccessToken) -> None:
    assert access.project_id == "radiotalk-emulator"


def test_nothing_is_asked_before_it_is_needed(access: AccessToken, endpoint: TokenEndpoint) -> None:
    assert endpoint.requests == []


def test_a_token_is_used_again(access: AccessToken, endpoint: TokenEndpoint) -> None:
    assert access.header() == access.header() == "Bearer at-1"

    assert len(endpoint.requests) == 1


def test_a_token_that_has_expired_is_replaced(access: AccessToken, endpoint: TokenEndpoint) -> None:
    endpoint.reply = lambda n: (200, json.dumps({"access_token": n, "expires_in": 0}).encode())

    assert [access.header(), access.header()] == ["Bearer 1", "Bearer 2"]


@pytest.mark.parametrize("seconds", [30, 225, 226])
def test_a_token_of_a_short_life_is_used_again_all_the_same(
    access: AccessToken, endpoint: TokenEndpoint, seconds: int
) -> None:
    # google-auth calls a token expired 225 s ahead: each request asked for a new one.
    short = {"access_token": "at", "expires_in": seconds}
    endpoint.reply = lambda n: (200, json.dumps(short).encode())

    for _ in range(10):
        access.header()

    assert len(endpoint.requests) == 1


def at_once(action: Callable[[], Any]) -> list[Any]:
    """Return what came of it in many threads that began together."""
    barrier = threading.Barrier(THREADS)

    def one() -> Any:
        barrier.wait()
        try:
            return action()
        except Exception as error:  # noqa: BLE001 (what it is is what is asked)
            return type(error)

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(THREADS)]]


def test_many_threads_at_once_share_one_refresh(
    access: AccessToken, endpoint: TokenEndpoint
) -> None:
    headers = at_once(access.header)

    assert headers == ["Bearer at-1"] * THREADS
    assert len(endpoint.requests) == 1


def test_many_threads_whose_token_was_refused_share_one_refresh(
    access: AccessToken, endpoint: TokenEndpoint
) -> None:
    refused = access.header()

    headers = at_once(lambda: access.header(refused=refused))

    assert headers == ["Bearer at-2"] * THREADS
    assert len(endpoint.requests) == 2


def test_who_hears_late_of_a_refusal_gets_the_newer_token(
    access: AccessToken, endpoint: TokenEndpoint
) -> None:
    refused = access.header()
    access.header(refused=refused)

    assert access.header(refused=refused) == "Bearer at-2"
    assert len(endpoint.requests) == 2


def test_an_endpoint_that_is_down_may_be_there_later(account: Path) -> None:
    access = access_to(f"https://{LOOPBACK}:{free_port()}/token", account)

    with pytest.raises(CredentialsUnavailableError):
        access.header()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, PAGE),
        (200, b""),
        (200, b"\xff"),
        (200, b"[]"),
        (200, b"17"),
        (200, b"{}"),
        (200, b'{"access_token": "x", "expires_in": "soon"}'),
        (200, b'{"access_token": "x", "expires_in": 1e300}'),
        (302, PAGE),
        (400, b"[]"),
        (403, PAGE),
        (404, PAGE),
        (502, PAGE),
        (504, b""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_answer_that_is_not_of_oauth_refuses_nobody(
    access: AccessToken, endpoint: TokenEndpoint, status: int, body: bytes
) -> None:
    endpoint.reply = lambda n: (status, body)

    with pytest.raises(CredentialsUnavailableError):
        access.header()


def test_a_refused_account_is_for_an_operator(access: AccessToken, endpoint: TokenEndpoint) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    endpoint.reply = lambda n: (400, json.dumps(refusal).encode())

    with pytest.raises(CredentialsRefusedError):
        access.header()


def test_an_endpoint_that_failed_is_left_alone_for_a_while(
    access: AccessToken, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else each of the lanes, which take their turns, would wait for the timeout once a batch.
    monkeypatch.setattr(key, "PAUSE_SECONDS", 3600)
    endpoint.reply = lambda n: (502, PAGE)

    found = at_once(access.header)

    assert found == [CredentialsUnavailableError] * THREADS
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_failed_is_asked_again(
    access: AccessToken, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key, "PAUSE_SECONDS", 0)
    endpoint.reply = lambda n: (502, PAGE) if n == 1 else token(n)
    with pytest.raises(CredentialsUnavailableError):
        access.header()

    assert access.header() == "Bearer at-2"


def test_a_refused_key_is_asked_for_again_after_a_while(
    access: AccessToken, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.reply = lambda n: (400, REFUSAL) if n == 1 else token(n)

    found = at_once(access.header)  # 185 times a second it was asked for

    assert found == [CredentialsRefusedError] * THREADS
    assert len(endpoint.requests) == 1
    later = time.monotonic() + 3
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert access.header() == "Bearer at-2"


def the_same(number: int) -> tuple[int, bytes]:
    """Return the answer of an endpoint that has one access token for all."""
    return token(1)


def test_an_endpoint_that_gives_a_refused_token_again_is_not_asked_for_each_refusal(
    access: AccessToken,
    endpoint: TokenEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(key, "PAUSE_SECONDS", 3600)
    endpoint.reply = the_same
    refused = access.header()

    for _ in range(10):
        assert at_once(lambda: access.header(refused=refused)) == [refused] * THREADS

    assert len(endpoint.requests) == 2
    assert access.refreshes == {"given": 1, "SAME_TOKEN": 1}
    assert [record.getMessage() for record in caplog.records] == ["token.failed"]
    assert access.header() == refused  # one device may be to blame, and others not


def test_an_endpoint_that_gave_a_refused_token_again_is_asked_later(
    access: AccessToken, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.reply = the_same
    refused = access.header()
    access.header(refused=refused)
    endpoint.reply = token

    pass_time(monkeypatch, seconds=3)

    assert access.header(refused=refused) == "Bearer at-3"


def test_a_new_key_is_looked_for_when_a_refused_token_is_given_again(
    access: AccessToken, endpoint: TokenEndpoint, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_time(monkeypatch, seconds=0)  # and no more: it is not yet time to look at the file
    endpoint.reply = the_same
    refused = access.header()
    new = rotate(endpoint, account)
    endpoint.reply = lambda n: token(n if key_of(endpoint.requests[-1]) == new else 1)

    assert access.header(refused=refused) != refused
    assert key_of(endpoint.requests[-1]) == new


def test_each_time_that_a_token_was_asked_for_is_counted_once_by_what_came_of_it(
    access: AccessToken, endpoint: TokenEndpoint, account: Path
) -> None:
    assert access.refreshes == {"given": 0}
    endpoint.reply = lambda n: (400, REFUSAL) if n == 1 else token(n)

    rotate(endpoint, account)
    access.header()  # the old key is refused, and the new one is not
    access.header()

    assert access.refreshes == {"CREDENTIALS_REFUSED": 1, "given": 1}


# --- A key is rotated by replacing its file -------------------------------------------------------


def rotate(endpoint: TokenEndpoint, account: Path, *, project_id: str = "") -> str:
    """Replace the file by that of another key, as an operator does; return the key's id."""
    content = new_account(endpoint, account, project_id=project_id)
    written = account.with_suffix(".new")
    written.write_text(json.dumps(content))
    written.replace(account)
    return str(content["private_key_id"])


def new_account(endpoint: TokenEndpoint, account: Path, *, project_id: str = "") -> Any:
    """Return what the file of another key holds."""
    other = account.with_suffix(".other")
    oauth.write_service_account(other, endpoint.url)
    content = json.loads(other.read_text())
    return content | ({"project_id": project_id} if project_id else {})


def key_of(request: bytes) -> str:
    """Return the id of the key that signed a request for an access token."""
    assertion = parse_qs(request.decode())["assertion"][0]
    header = assertion.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])


def pass_time(monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
    """Let the clock go on by so much."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_a_new_key_is_used_without_a_restart(
    access: AccessToken, endpoint: TokenEndpoint, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.header()
    new = rotate(endpoint, account)
    pass_time(monkeypatch, seconds=2)

    assert access.header() == "Bearer at-2"
    assert not access.is_outdated
    assert key_of(endpoint.requests[-1]) == new
    assert access.header() == "Bearer at-2"


def test_a_new_key_is_looked_for_when_the_old_one_is_refused(
    access: AccessToken, endpoint: TokenEndpoint, account: Path
) -> None:
    new = rotate(endpoint, account)
    endpoint.reply = lambda n: token(n) if key_of(endpoint.requests[-1]) == new else (400, REFUSAL)

    assert access.header().startswith("Bearer at-")  # nothing has failed for want of a second
    assert key_of(endpoint.requests[-1]) == new


def test_the_old_key_is_used_until_google_knows_the_new_one(
    access: AccessToken, endpoint: TokenEndpoint, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.header()
    rotate(endpoint, account)
    endpoint.reply = lambda n: (400, REFUSAL) if n == 2 else token(n)

    pass_time(monkeypatch, seconds=2)
    assert access.header() == "Bearer at-1"

    pass_time(monkeypatch, seconds=5)
    assert access.header() == "Bearer at-3"


def test_a_key_that_google_never_takes_changes_nothing(
    access: AccessToken,
    endpoint: TokenEndpoint,
    account: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access.header()
    bad = rotate(endpoint, account)
    endpoint.reply = lambda n: (400, REFUSAL) if key_of(endpoint.requests[-1]) == bad else token(n)
    pass_time(monkeypatch, seconds=2)
    assert access.header() == "Bearer at-1"
    assert [record.getMessage() for record in caplog.records] == ["credentials.unproven"]

    pass_time(monkeypatch, seconds=3600)  # the token of the old key is over

    assert access.header().startswith("Bearer at-")
    assert access.header() != "Bearer at-1"


def test_an_old_key_that_is_refused_while_nobody_answers_for_the_new_one_is_no_refusal(
    access: AccessToken, endpoint: TokenEndpoint, account: Path
) -> None:
    before = access.header()
    new = rotate(endpoint, account)
    endpoint.reply = lambda n: (
        (502, PAGE) if key_of(endpoint.requests[-1]) == new else (400, REFUSAL)
    )

    with pytest.raises(CredentialsUnavailableError):
        access.header(refused=before)


def test_a_token_is_used_until_its_end_when_there_is_no_other(
    access: AccessToken, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.header()
    endpoint.reply = lambda n: (502, PAGE)

    pass_time(monkeypatch, seconds=3400)  # another one is wanted
    assert access.header() == "Bearer at-1"

    pass_time(monkeypatch, seconds=190)
    with pytest.raises(CredentialsUnavailableError):
        access.header()


@pytest.mark.parametrize(
    "content", [b"", b'{"type": "service_acc', b"null"], ids=["empty", "half", "none"]
)
def test_a_file_that_is_half_written_changes_nothing(
    access: AccessToken,
    endpoint: TokenEndpoint,
    account: Path,
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access.header()
    account.write_bytes(content)
    pass_time(monkeypatch, seconds=2)
    assert access.header() == access.header() == "Bearer at-1"
    assert [record.getMessage() for record in caplog.records] == ["credentials.unusable"]

    assert access.is_outdated
    new = rotate(endpoint, account)
    pass_time(monkeypatch, seconds=2)

    assert access.header() == "Bearer at-2"
    assert not access.is_outdated
    assert key_of(endpoint.requests[-1]) == new


def test_a_file_that_is_gone_changes_nothing(
    access: AccessToken, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.header()
    account.unlink()
    pass_time(monkeypatch, seconds=2)

    assert access.header() == "Bearer at-1"


def test_the_key_of_another_project_is_not_taken(
    access: AccessToken,
    endpoint: TokenEndpoint,
    account: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # FCM's address names the project, and its devices are of that project.
    access.header()
    before = access.key_end
    rotate(endpoint, account, project_id="another-project")
    pass_time(monkeypatch, seconds=2)

    assert access.header() == "Bearer at-1"
    assert (access.key_end, access.is_outdated) == (before, True)
    [record] = caplog.records
    assert "restart" in str(vars(record)["error"])


@pytest.mark.parametrize("status", [200, 400, 403, 502])
def test_a_failure_is_told_without_what_was_sent(
    access: AccessToken,
    endpoint: TokenEndpoint,
    account: Path,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A page that repeats the request, as debugging proxies do.
    endpoint.reply = lambda n: (status, b"You said: " + endpoint.requests[-1])

    with pytest.raises(CredentialsUnavailableError):
        access.header()

    assertion = endpoint.requests[0].decode().partition("assertion=")[2][:40]
    assert [record.getMessage() for record in caplog.records] == ["token.failed"]
    assert assertion not in str(vars(caplog.records[0]))
    assert json.loads(account.read_text())["private_key"] not in caplog.text


def test_the_given_authority_is_trusted_whatever_the_environment_says(
    tls: certificates.Certificates,
    account: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    bundle = certificates.prepare(other, datetime.now(UTC)).ca
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))

    with TokenEndpoint().serving(tls) as url:
        access = access_to(url, account, ca_file=str(tls.ca))

        assert access.header() == "Bearer at-1"


def test_an_authority_that_is_not_trusted_gets_no_assertion(
    tls: certificates.Certificates, account: Path
) -> None:
    with TokenEndpoint().serving(tls) as url:
        access = access_to(url, account)

        with pytest.raises(CredentialsUnavailableError):
            access.header()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("of_oauth", [REFUSAL, PAGE], ids=["OAuth's", "a page"])
def test_a_redirect_is_not_followed_and_refuses_nobody(
    access: AccessToken, endpoint: TokenEndpoint, status: int, of_oauth: bytes
) -> None:
    endpoint.reply = lambda n: (status, of_oauth)
    endpoint.headers = {"location": endpoint.url}

    with pytest.raises(CredentialsUnavailableError):
        access.header()

    assert len(endpoint.requests) == 1


def test_the_assertion_is_never_sent_without_tls(account: Path) -> None:
    with pytest.raises(ValueError, match="has a token_uri without TLS"):
        access_to(f"http://{LOOPBACK}:{free_port()}/token", account)


def padded(size: int) -> bytes:
    """Return an answer with an access token, of this many bytes."""
    answer = json.dumps({"access_token": "at-1", "expires_in": 3599})
    return answer.ljust(size).encode()


def test_an_answer_of_64_kib_is_read(access: AccessToken, endpoint: TokenEndpoint) -> None:
    endpoint.reply = lambda n: (200, padded(MOST_ANSWER_BYTES))

    assert access.header() == "Bearer at-1"


@pytest.mark.parametrize("is_compressed", [False, True])
def test_an_answer_of_more_is_not_read_to_its_end(
    access: AccessToken,
    endpoint: TokenEndpoint,
    is_compressed: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = padded(100 * MOST_ANSWER_BYTES)
    endpoint.reply = lambda n: (200, gzip.compress(body) if is_compressed else body)
    endpoint.headers = {"content-encoding": "gzip"} if is_compressed else {}

    with pytest.raises(CredentialsUnavailableError):
        access.header()

    [record] = caplog.records
    assert vars(record)["error"] == "The answer has over 65,536 bytes."


def test_an_endpoint_that_answers_byte_by_byte_does_not_hold_the_lanes(
    account: Path, tls: certificates.Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "REFRESH_TIMEOUT_SECONDS", 0.3)
    enough = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            while not enough.wait(0.1):
                self.wfile.write(b" ")  # each comes before a read times out

        def log_message(self, *args: Any) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer((LOOPBACK, 0), Dripping) as server:
        server.socket = context_of(tls).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        url = f"https://{LOOPBACK}:{server.server_port}/token"
        access = access_to(url, account, ca_file=str(tls.ca))
        try:
            with pytest.raises(CredentialsUnavailableError):
                access.header()
        finally:
            enough.set()
            server.shutdown()
            wait_for_thread("token")


def wait_for_thread(name: str) -> None:
    """Return once no thread of this name is left."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)
