"""The servers: how each is started on a free port of loopback, and how it is asked.

    with running("nginx", directory) as target:
        post_to(target.endpoint, target.authorization)
        assert [entry["token"] for entry in journal.read(target.journal)] == ["dev-1"]

Each journals a request before it answers. A proxy has the emulator behind it, which speaks plain
HTTP/1.1 to it: what our client sees of HTTP/2 is the proxy's own.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

from firebase_admin import credentials

from fcm_emulator.process import EmulatorProcess
from fcm_emulator.process import running as running_emulator
from notifications.fcm import headers
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.outcomes import Answer
from notifications.fcm.token_endpoint import TokenEndpoint
from testbed import local_settings
from testbed.hostile import fcm as hostile
from testbed.hostile.certificates import Authority, Certificate
from testbed.process import LOOPBACK, Child, free_port, listens, serving, start

from . import grpc_core

HERE = Path(__file__).parent
SEND_PATH = "/v1/projects/radiotalk-emulator/messages:send"
TIMEOUT_SECONDS = 120.0  # for one attempt, on a busy machine
LATENCY_MS = 50.0  # so that requests are in flight when a server says GOAWAY
GRPC_HEAD_BYTES = 5  # not compressed, and the length of the message
SBIN = "/usr/sbin"  # where Debian has some of the servers, and not everybody's PATH


@dataclass(frozen=True, slots=True)
class Target:
    """A server that listens, and how a request for it is dressed."""

    endpoint: Endpoint
    journal: Path
    authorization: str = "Bearer x"
    is_grpc: bool = False

    def dressed(self, body: bytes) -> bytes:
        """Return the body as the server expects it."""
        return b"\0" + len(body).to_bytes(4, "big") + body if self.is_grpc else body

    def undressed(self, answer: Answer) -> Answer:
        """Return the answer as FCM would give it."""
        return answer._replace(body=answer.body[GRPC_HEAD_BYTES:]) if self.is_grpc else answer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is to run: its directory, and a certificate with the authority that signed.

    `setting` is added to its settings.
    """

    directory: Path
    ca_file: Path
    certificate: Certificate
    latency_ms: float
    setting: str

    @property
    def journal(self) -> Path:
        """Return where a server without an emulator journals."""
        return self.directory / "journal.jsonl"

    def endpoint(self, port: int) -> Endpoint:
        """Return where to POST."""
        return Endpoint(f"https://{LOOPBACK}:{port}{SEND_PATH}", str(self.ca_file), TIMEOUT_SECONDS)


@dataclass(frozen=True, slots=True)
class Server:
    """One of the table: how it runs, and what has to be installed."""

    run: Callable[[Place], AbstractContextManager[Target]]
    program: str = ""  # "" for what comes with requirements-dev.txt
    package: str = ""  # Debian's
    # Lines that a test adds to its configuration; "" where the server has no such setting.
    brief: str = ""  # each connection ends after 20 requests, or after a moment
    idle: str = ""  # a connection ends after a second without a request
    ends_idle_silently: bool = False  # then without GOAWAY (RFC 9113, 9.1), in the version tested
    drops_at_reload: bool = False  # then requests that a GOAWAY said it would process (6.8)
    reload: tuple[str, signal.Signals] | None = None  # its file with a process id, and a signal

    @property
    def lacks(self) -> str:
        """Return what has to be installed before it can run, "" when it can."""
        if self.program and not find(self.program):
            return f"{self.program} is not installed: apt-get install {self.package}"
        return ""


def find(program: str) -> str | None:
    """Return where a program is."""
    return shutil.which(program) or shutil.which(program, path=SBIN)


# --- Servers of their own ----------------------------------------------------------------------


@contextmanager
def granian(place: Place) -> Iterator[Target]:
    """Yield the emulator itself, whose HTTP/2 is hyper's."""
    with running_emulator(place.directory, latency_ms=place.latency_ms) as fcm:
        endpoint = Endpoint(f"{fcm.url}{SEND_PATH}", str(fcm.ca_file), TIMEOUT_SECONDS)
        yield Target(endpoint, fcm.journal, access_to(fcm))


@contextmanager
def h2(place: Place) -> Iterator[Target]:
    """Yield the hostile FCM with good manners, in a thread of this process."""
    with hostile.running(place.journal, place.certificate, latency_ms=place.latency_ms) as fcm:
        yield Target(place.endpoint(fcm.port), place.journal)


@contextmanager
def node(place: Place) -> Iterator[Target]:
    """Yield an FCM on Node's http2."""
    port = free_port()
    command: list[str | Path] = [find("node") or "", HERE / "node.js", str(port)]
    command += [place.certificate.chain, place.certificate.key, place.journal]
    command += [str(place.latency_ms), place.setting or "{}"]
    child = start("node", command, log=place.directory / "node.log")
    with serving(child, lambda: listens(port)):
        yield Target(place.endpoint(port), place.journal)


@contextmanager
def grpc(place: Place) -> Iterator[Target]:
    """Yield an FCM on gRPC's core, which takes requests that look like calls."""
    port = free_port()
    options = grpc_core.Options(
        port=port,
        chain=str(place.certificate.chain),
        key=str(place.certificate.key),
        journal=str(place.journal),
        latency_ms=place.latency_ms,
        arguments=json.loads(place.setting or "{}"),
    )
    command = [sys.executable, "-m", "testbed.interop.grpc_core", json.dumps(asdict(options))]
    child = start(
        "grpc", command, log=place.directory / "grpc.log", cwd=local_settings.ROOT, env=os.environ
    )
    with (
        serving(child, lambda: listens(port)),
        mock.patch.object(headers, "request_block", call_block),
    ):
        yield Target(place.endpoint(port), place.journal, is_grpc=True)


request_block = headers.request_block


@contextmanager
def not_dressed() -> Iterator[None]:
    """Let requests be the product's own meanwhile, also where they would look like calls."""
    with mock.patch.object(headers, "request_block", request_block):
        headers.opening.cache_clear()
        yield
    headers.opening.cache_clear()


def call_block(authority: str, path: str, authorization: str, length: int) -> bytes:
    """Return the product's header block, dressed as a gRPC call; the core resets any other.

    https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
    """
    block = request_block(authority, path, authorization, length)
    json_type = headers.literal(headers.CONTENT_TYPE, "application/json")
    grpc_type = headers.literal(headers.CONTENT_TYPE, "application/grpc")
    assert json_type in block
    return block.replace(json_type, grpc_type) + b"\x00\x02te\x08trailers"


# --- Proxies in front of the emulator ----------------------------------------------------------


def proxy(settings: str, *command: str) -> Callable[[Place], AbstractContextManager[Target]]:
    """Return how to run a proxy: its settings' file, and a command with `@NAMES@` as in there."""

    @contextmanager
    def run(place: Place) -> Iterator[Target]:
        with running_emulator(
            place.directory / "emulator", tls=False, latency_ms=place.latency_ms
        ) as fcm:
            port = free_port()
            child = start_proxy(settings, command, place, port=port, upstream=fcm.port)
            with serving(child, lambda: listens(port)):
                yield Target(place.endpoint(port), fcm.journal, access_to(fcm))

    return run


def start_proxy(
    settings: str, command: tuple[str, ...], place: Place, *, port: int, upstream: int
) -> Child:
    """Return the started proxy, with its settings and its log in the directory."""
    both = place.directory / "chain-and-key.pem"
    both.write_bytes(place.certificate.chain.read_bytes() + place.certificate.key.read_bytes())
    written = place.directory / settings
    values = {
        "PORT": port,
        "UPSTREAM": upstream,
        "CHAIN": place.certificate.chain,
        "KEY": place.certificate.key,
        "CHAIN_AND_KEY": both,
        "DIRECTORY": place.directory,
        "SETTINGS": written,
        "SETTING": place.setting,
    }

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    written.write_text(filled((HERE / "settings" / settings).read_text()))
    program, *arguments = command
    return start(
        program,
        [find(program) or program, *map(filled, arguments)],
        log=place.directory / f"{program}.log",
        env=os.environ | {"HOME": str(place.directory)},
    )


def access_to(fcm: EmulatorProcess) -> str:
    """Return the Authorization header's value that an emulator takes.

    AccessToken would refuse the account of an emulator behind a proxy, whose token endpoint has no
    TLS either.
    """
    google = credentials.Certificate(str(fcm.service_account_file)).get_credential()
    way = TokenEndpoint(ca_file=str(fcm.ca_file or ""), proxy="", timeout=TIMEOUT_SECONDS)
    google.refresh(way)
    return f"Bearer {google.token}"


# --- The table ---------------------------------------------------------------------------------

SERVERS = {
    "granian": Server(granian),
    "h2": Server(h2),
    "node": Server(
        node,
        program="node",
        package="nodejs",
        brief='{"mostRequests": 20}',
        idle='{"idleMilliseconds": 1000}',
    ),
    "nginx": Server(
        proxy("nginx.conf", "nginx", "-c", "@SETTINGS@", "-e", "stderr"),
        program="nginx",
        package="nginx",
        brief="keepalive_requests 20;",
        idle="keepalive_timeout 1s;",
        reload=("nginx.pid", signal.SIGHUP),
    ),
    "nghttpx": Server(
        proxy("nghttpx.conf", "nghttpx", "--conf=@SETTINGS@"),
        program="nghttpx",
        package="nghttp2-proxy",
        brief="frontend-max-requests=20",
        idle="frontend-http2-read-timeout=1s",
        ends_idle_silently=True,
    ),
    "haproxy": Server(
        proxy("haproxy.cfg", "haproxy", "-W", "-f", "@SETTINGS@"),
        program="haproxy",
        package="haproxy",
        idle="timeout http-keep-alive 1s",
        reload=("haproxy.pid", signal.SIGUSR2),
    ),
    "apache": Server(
        proxy("apache2.conf", "apache2", "-DFOREGROUND", "-f", "@SETTINGS@"),
        program="apache2",
        package="apache2-bin",
        idle="KeepAliveTimeout 1",
        reload=("apache2.pid", signal.SIGUSR1),
        drops_at_reload=True,
    ),
    "caddy": Server(
        proxy("Caddyfile", "caddy", "run", "--config", "@SETTINGS@", "--adapter", "caddyfile"),
        program="caddy",
        package="caddy",
        idle="timeouts {\nidle 1s\n}",
    ),
    "grpc": Server(
        grpc,
        brief='{"grpc.max_connection_age_ms": 100, "grpc.max_connection_age_grace_ms": 60000}',
        idle='{"grpc.max_connection_idle_ms": 500}',
    ),
}


@contextmanager
def running(
    name: str, directory: Path, *, latency_ms: float = LATENCY_MS, setting: str = ""
) -> Iterator[Target]:
    """Yield one of the servers, which listens; its files are in the directory, and stay there."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = Authority(directory / "authority", "trusted")
    place = Place(directory, authority.ca_file, authority.issue("server"), latency_ms, setting)
    with SERVERS[name].run(place) as target:
        yield target


def reload(name: str, directory: Path) -> None:
    """Have a server that runs in the directory read its settings again, as operators do.

    Its old processes end their connections in good order while new ones take new connections.
    """
    file, number = SERVERS[name].reload or ("", signal.SIGHUP)
    os.kill(int((directory / file).read_text()), number)
