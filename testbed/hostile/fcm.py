"""The server: any access token is good, every request is journaled before it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcm_emulator import answers, message, oauth
from fcm_emulator.answers import Outcome
from fcm_emulator.journal import Journal

from .certificates import Authority, Certificate
from .http import Http1Peer, Http2Peer, Peer
from .manners import Manners

if TYPE_CHECKING:  # it needs Django's settings, and this server does not
    from testbed.system import System

HOST = "127.0.0.1"
STOP_SECONDS = 120.0  # a deadline for a busy machine, no expectation
CLOSE_SECONDS = 0.05  # how long a client may take to say that it saw the end of TLS


class HostileFcm:
    """Listens in a thread of its own; a test sets `manners`, and shows another certificate."""

    def __init__(self, journal: Path, certificate: Certificate, *, latency_ms: float) -> None:
        self.manners = Manners()
        self.latency_seconds = latency_ms / 1000
        self.peers: list[Peer] = []  # the open connections
        self.port = 0
        self._journal = Journal(journal)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.num_tickets = 0  # a resumed session would show no certificate
        self._speaks_http2 = True
        self.speak(http2=True)
        self.show(certificate)
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="hostile-fcm")
        self._listens = threading.Event()
        self._stopping = asyncio.Event()

    @property
    def url(self) -> str:
        """Return the address for FCM_ENDPOINT."""
        return f"https://{HOST}:{self.port}"

    def show(self, certificate: Certificate) -> None:
        """Show this certificate on connections from now on."""
        self.context.load_cert_chain(certificate.chain, certificate.key)

    def speak(self, *, http2: bool) -> None:
        """Offer HTTP/2 on connections from now on, or HTTP/1.1 only."""
        self._speaks_http2 = http2
        self.context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])

    def drop_connections(self) -> None:
        """Close all connections, and return when they are closed."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(STOP_SECONDS)

    def to_each_connection(self, do: Callable[[Peer], None]) -> None:
        """Do this to each connection, in the server's thread, and return when it is done."""

        async def each() -> None:
            for peer in list(self.peers):
                do(peer)

        asyncio.run_coroutine_threadsafe(each(), self._loop).result(STOP_SECONDS)

    def judge(self, peer: Peer, stream: int, authorization: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer; the verdict is in the journal by then."""
        send = message.read(body)
        accepted = self.manners.accepts(peer, stream)
        name = f"projects/{oauth.PROJECT_ID}/messages/{self._journal.next_n}"
        answer = answers.success(name) if accepted else self.manners.refusal
        self._journal.enter(
            send,
            Outcome(accepted=accepted, answer=answer, error=answer.error),
            at=time.time(),
            http=peer.http,
            access_token=oauth.short_hash(authorization),
        )
        return answer.status, answer.body

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        self._listens.wait()

    def stop(self) -> None:
        """Return when its thread has ended."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_SECONDS)

    async def _run(self) -> None:
        def peer() -> Peer:
            return Http2Peer(self) if self._speaks_http2 else Http1Peer(self)

        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(
            peer, HOST, 0, ssl=self.context, ssl_shutdown_timeout=CLOSE_SECONDS
        )
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._stopping.wait()
        server.close()
        await self._drop()
        await end_handshakes()

    async def _drop(self) -> None:
        dropped = list(self.peers)
        for peer in dropped:
            peer.transport.abort()
        while any(peer in self.peers for peer in dropped):  # the client may be back meanwhile
            await asyncio.sleep(0)


async def end_handshakes() -> None:
    """End the connections that are in the middle of TLS: asyncio shows them to nobody."""
    transports: Any = vars(asyncio.get_running_loop())["_transports"]
    for transport in list(transports.values()):
        transport.abort()
    await asyncio.sleep(CLOSE_SECONDS)


@contextlib.contextmanager
def running(
    journal: Path, certificate: Certificate, *, latency_ms: float = 20
) -> Iterator[HostileFcm]:
    """Yield a hostile FCM that listens."""
    fcm = HostileFcm(journal, certificate, latency_ms=latency_ms)
    fcm.start()
    try:
        yield fcm
    finally:
        fcm.stop()


@contextlib.contextmanager
def in_the_emulators_place(system: System, directory: Path) -> Iterator[HostileFcm]:
    """Yield a hostile FCM for workers that start from now on; the emulator gives access tokens."""
    authority = Authority(directory / "authority", "trusted")
    with running(system.fcm.journal, authority.issue("good")) as fcm:
        trusted = directory / "trusted.pem"
        emulators = Path(system.env["FCM_CA_FILE"])
        trusted.write_bytes(authority.ca_file.read_bytes() + emulators.read_bytes())
        system.env |= {"FCM_ENDPOINT": fcm.url, "FCM_CA_FILE": str(trusted)}
        yield fcm
