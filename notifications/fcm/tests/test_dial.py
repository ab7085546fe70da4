"""How a connection comes about: what stands in its way is told apart, and none of it costs time."""

import contextlib
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifications.fcm import dial
from notifications.fcm.dial import Dial, NotConnectedError
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.failures import Failure
from notifications.fcm.tls import Resumable, TlsSocket
from testbed.hostile import fcm as hostile
from testbed.hostile.certificates import A_DAY, Authority
from testbed.hostile.firewall import dropping
from testbed.process import LOOPBACK, eventually, free_port

DEADLINE_SECONDS = 240.0
MOMENT_SECONDS = 0.05


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return the authority that is trusted."""
    return Authority(tmp_path / "authority", "trusted")


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[hostile.HostileFcm]:
    """Yield a server that speaks HTTP/2 over TLS."""
    with hostile.running(tmp_path / "journal", authority.issue("good")) as fcm:
        yield fcm


def connect(
    url: str,
    authority: Authority,
    *,
    proxy: str = "",
    resume: Resumable | None = None,
    seconds: float = DEADLINE_SECONDS,
) -> TlsSocket:
    """Return a connection that was made."""
    endpoint = Endpoint(url, str(authority.ca_file), DEADLINE_SECONDS, proxy)
    deadline = time.monotonic() + seconds
    return dial.connect(endpoint, deadline=deadline, resume=resume)


def failure(url: str, authority: Authority, **options: Any) -> Failure:
    """Return why there is no connection."""
    with pytest.raises(NotConnectedError) as error:
        connect(url, authority, **options)
    return error.value.failure


# --- The endpoint --------------------------------------------------------------------------------


def test_an_endpoint_is_taken_apart() -> None:
    endpoint = Endpoint("https://[::1]:8443/v1/projects/p/messages:send", "", 20)

    assert (endpoint.host, endpoint.port) == ("::1", 8443)
    assert endpoint.authority == "[::1]:8443"
    assert endpoint.path == "/v1/projects/p/messages:send"


def test_the_port_of_https_is_not_told_to_the_server() -> None:
    endpoint = Endpoint("https://fcm.googleapis.com", "", 20)

    assert (endpoint.authority, endpoint.port, endpoint.path) == ("fcm.googleapis.com", 443, "/")


@pytest.mark.parametrize("url", ["http://fcm.example", "fcm.example", "https://", ""])
def test_an_endpoint_without_tls_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="must be an https:// address"):
        Endpoint(url, "", 20)


@pytest.mark.parametrize(
    "url",
    [
        "https://fcm.example/ラジオ/messages:send",
        "https://fcm.例え/messages:send",
        "https://fcm.example/v1/projects/a\nb/messages:send",
        "https://fcm.example/v1/projects/a b/messages:send",
        "https://fcm.example/\x7f",
    ],
)
def test_an_endpoint_that_no_header_can_carry_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="must be ASCII without spaces"):
        Endpoint(url, "", 20)


# --- Names and addresses -------------------------------------------------------------------------


def resolving(addresses: Sequence[tuple[int, str, int]]) -> Callable[..., list[Any]]:
    """Return a stand-in for getaddrinfo that knows these families, addresses and ports."""
    found = [(family, socket.SOCK_STREAM, 6, "", (host, port)) for family, host, port in addresses]
    return lambda *_args, **_kwargs: found


def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    four, six = socket.AF_INET, socket.AF_INET6
    given = [(six, "::1", 1), (six, "::2", 1), (six, "::3", 1), (four, "127.0.0.1", 1)]
    monkeypatch.setattr(socket, "getaddrinfo", resolving(given))

    addresses = [address[0] for _family, address in dial.resolve("fcm", 1)]

    assert addresses == ["::1", "127.0.0.1", "::2", "::3"]


def test_an_address_that_does_not_answer_keeps_nobody_from_the_next(
    server: hostile.HostileFcm, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dropping() as dead:
        given = [(socket.AF_INET, LOOPBACK, port) for port in (dead, free_port(), server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", resolving(given))

        connected = connect(server.url, authority)

    # Had it waited for the first, its time would have been up.
    assert connected.speaks == "h2"
    connected.close()


def test_an_address_that_this_machine_cannot_reach_is_passed_over(
    server: hostile.HostileFcm, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [(socket.AF_INET6, "2001:db8::1", 1), (socket.AF_INET, LOOPBACK, server.port)]
    monkeypatch.setattr(socket, "getaddrinfo", resolving(given))

    connected = connect(server.url, authority)

    assert connected.speaks == "h2"
    connected.close()


def test_a_name_server_that_hangs_holds_up_no_lane(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def hang(*_args: Any, **_kwargs: Any) -> list[Any]:
        answered.wait(DEADLINE_SECONDS)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    told = threading.Event()

    dialled = Dial(Endpoint("https://fcm", "", 20), resume=None, done=told.set)

    assert not dialled.is_done(now=time.monotonic())
    assert dialled.is_done(now=time.monotonic() + dial.CONNECT_SECONDS)
    dialled.abandon()
    answered.set()
    assert told.wait(DEADLINE_SECONDS)


def test_a_connection_that_comes_too_late_is_closed(
    server: hostile.HostileFcm, authority: Authority
) -> None:
    told = threading.Event()
    dialled = Dial(Endpoint(server.url, str(authority.ca_file), 20), resume=None, done=told.set)

    dialled.abandon()

    assert told.wait(DEADLINE_SECONDS)
    assert eventually(lambda: not server.peers, seconds=DEADLINE_SECONDS)


# --- TLS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        (-A_DAY, -A_DAY / 2, Failure.CERTIFICATE_EXPIRED),
        (A_DAY / 2, A_DAY, Failure.CERTIFICATE_NOT_YET_VALID),
    ],
    ids=["expired", "not_yet_valid"],
)
def test_a_certificate_of_another_time_is_told_apart(
    server: hostile.HostileFcm,
    authority: Authority,
    begins: timedelta,
    ends: timedelta,
    expected: Failure,
) -> None:
    server.show(authority.issue("other_time", begins=begins, ends=ends))

    assert failure(server.url, authority) is expected


def test_an_authority_of_a_path_that_is_not_ascii_is_trusted(
    server: hostile.HostileFcm, tmp_path: Path, authority: Authority
) -> None:
    elsewhere = tmp_path / "夜のラジオ.pem"
    elsewhere.write_bytes(authority.ca_file.read_bytes())
    authority.ca_file = elsewhere

    connected = connect(server.url, authority)

    assert connected.speaks == "h2"
    connected.close()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_authorities_is_told(
    server: hostile.HostileFcm, tmp_path: Path, authority: Authority, content: str | None
) -> None:
    authority.ca_file = tmp_path / "none.pem"
    if content is not None:
        authority.ca_file.write_text(content)

    assert failure(server.url, authority) is Failure.NO_CA_FILE


def test_an_authority_that_is_renewed_is_trusted_from_then_on(
    server: hostile.HostileFcm, tmp_path: Path, authority: Authority
) -> None:
    good = authority.ca_file.read_bytes()
    authority.ca_file.write_bytes(Authority(tmp_path / "other", "other").ca_file.read_bytes())
    assert failure(server.url, authority) is Failure.CERTIFICATE_NOT_TRUSTED

    authority.ca_file.write_bytes(good)

    connect(server.url, authority).close()


def test_old_tls_is_refused(server: hostile.HostileFcm, authority: Authority) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1

    assert failure(server.url, authority) is Failure.NO_TLS


def test_a_session_is_resumed(server: hostile.HostileFcm, authority: Authority) -> None:
    server.context.num_tickets = 2
    first = connect(server.url, authority)
    assert eventually(lambda: bool(received(first) and first.resumable), seconds=DEADLINE_SECONDS)

    second = connect(server.url, authority, resume=first.resumable)

    assert second._tls.session_reused
    assert not first._tls.session_reused
    first.close()
    second.close()


def received(connected: TlsSocket) -> bool:
    """Take in what came, in which TLS has its tickets."""
    with contextlib.suppress(BlockingIOError):
        connected.receive()
    return True


@contextmanager
def tarpit(first: bytes) -> Iterator[int]:
    """Yield the port of a server that says this, and then a byte every moment, for ever."""

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as client:
            client.sendall(first)
            while not stopping.wait(MOMENT_SECONDS):
                client.sendall(b"x")

    stopping = threading.Event()
    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        stopping.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_handshake_that_comes_byte_by_byte_has_an_end(authority: Authority) -> None:
    a_long_record = b"\x16\x03\x03\x40\x00"
    with tarpit(a_long_record) as port:
        found = failure(f"https://{LOOPBACK}:{port}", authority, seconds=10 * MOMENT_SECONDS)

    assert found is Failure.NO_TLS


def test_a_proxy_that_answers_byte_by_byte_has_an_end(authority: Authority) -> None:
    with tarpit(b"HTTP/1.1 200 ") as port:
        proxy = f"http://{LOOPBACK}:{port}"
        seconds = 10 * MOMENT_SECONDS
        found = failure("https://fcm.example", authority, proxy=proxy, seconds=seconds)

    assert found is Failure.PROXY_REFUSED


# --- The proxy -----------------------------------------------------------------------------------


@contextmanager
def proxy(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of an HTTP proxy that answers so, and what it was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            asked.append(head)
            client.sendall(answer)
            if b" 200 " not in answer:
                client.close()
                return
            port = int(head.split()[1].rpartition(b":")[2])
            there = socket.create_connection((LOOPBACK, port))
            for source, sink in ((client, there), (there, client)):
                threading.Thread(target=pass_on, args=(source, sink), daemon=True).start()

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"{LOOPBACK}:{listener.getsockname()[1]}", asked
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, until the end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        end.close()


OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


def test_a_proxy_is_gone_through_and_sees_only_the_address(
    server: hostile.HostileFcm, authority: Authority
) -> None:
    with proxy(OK) as (address, asked):
        connected = connect(server.url, authority, proxy=f"http://{address}")

        assert connected.speaks == "h2"
        connected.close()

    there = f"{LOOPBACK}:{server.port}"
    assert asked == [f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n".encode()]


def test_a_proxy_is_told_who_we_are(server: hostile.HostileFcm, authority: Authority) -> None:
    with proxy(OK) as (address, asked):
        connect(server.url, authority, proxy=f"http://me:s%C3%A9cret%40@{address}").close()

    secret = b64encode("me:sécret@".encode())
    assert b"\r\nProxy-Authorization: Basic " + secret + b"\r\n" in asked[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"<html>no proxy</html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
        b"",
    ],
    ids=["407", "no_status", "no_http", "endless", "nothing"],
)
def test_a_proxy_that_lets_nothing_through_is_told(
    server: hostile.HostileFcm, authority: Authority, answer: bytes
) -> None:
    with proxy(answer) as (address, _asked):
        url = server.url

        assert failure(url, authority, proxy=f"http://{address}") is Failure.PROXY_REFUSED


def test_a_proxy_that_is_away_is_not_gone_around(
    server: hostile.HostileFcm, authority: Authority
) -> None:
    nowhere = f"http://{LOOPBACK}:{free_port()}"

    assert failure(server.url, authority, proxy=nowhere) is Failure.NOT_CONNECTED
    assert server.peers == []
