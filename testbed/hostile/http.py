"""The server's end of a connection: it says what came, and lets manners do anything with it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame

if TYPE_CHECKING:
    from .fcm import HostileFcm

RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER for no seconds: RST instead of FIN


class Peer(asyncio.Protocol):
    """A connection; its requests are known by the number of their stream."""

    http = ""

    def __init__(self, fcm: HostileFcm) -> None:
        self.fcm = fcm
        self.posts: list[int] = []  # the streams whose request came completely, in order
        self.answered = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.fcm.peers.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fcm.peers.remove(self)
        self.transport.close()  # else asyncio complains that nobody did

    @property
    def is_idle(self) -> bool:
        """Return whether every request was answered."""
        return self.answered == len(self.posts)

    def answer(self, stream: int, status: int, body: bytes) -> None:
        """Send a whole answer."""
        self.answered += 1
        self.send(stream, status, body)

    def send(self, stream: int, status: int, body: bytes) -> None:
        """Put the answer into bytes."""
        raise NotImplementedError

    def close(self) -> None:
        """End the connection in good order, as far as TCP is concerned."""
        self.transport.close()

    def reset(self) -> None:
        """Let the client see a RST, as from a router that forgot it."""
        bare: socket.socket = self.transport.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self.transport.abort()

    def complete(self, stream: int, authorization: str, body: bytes) -> None:
        """Take a request whose body is complete: into the journal first, then as manners say."""
        self.posts.append(stream)
        manners = self.fcm.manners
        status, answer = self.fcm.judge(self, stream, authorization, body)

        def reply() -> None:
            if not self.transport.is_closing():
                manners.reply(self, stream, status, answer)

        asyncio.get_running_loop().call_later(self.fcm.latency_seconds, reply)


class Http1Peer(Peer):
    """A connection without HTTP/2, which our client ends before any request."""

    http = "1.1"


class Http2Peer(Peer):
    """HTTP/2, frame by frame."""

    http = "2"

    def __init__(self, fcm: HostileFcm) -> None:
        super().__init__(fcm)
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._requests: dict[int, tuple[str, bytearray]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.h2.initiate_connection()
        self.fcm.manners.opened(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:  # h2 has a GOAWAY ready that says so
            self.flush()
            self.close()
            return
        for event in events:
            if self.transport.is_closing():
                return
            self._handle(event)
        self.flush()

    def _handle(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            self._requests[event.stream_id] = (headers.get("authorization", ""), bytearray())
            self.fcm.manners.began(self, event.stream_id)
        elif isinstance(event, DataReceived):
            if self.fcm.manners.gives_room:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self._requests:  # else it is reset by now
                self._requests[event.stream_id][1].extend(event.data)
                self.fcm.manners.read(self, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id in self._requests:
            authorization, body = self._requests.pop(event.stream_id)
            self.complete(event.stream_id, authorization, bytes(body))
        elif isinstance(event, PingAckReceived):
            self.fcm.manners.acknowledged(self)

    def send(self, stream: int, status: int, body: bytes) -> None:
        try:
            self.h2.send_headers(stream, [(":status", str(status))])
            self.h2.send_data(stream, body, end_stream=True)
        except ProtocolError:  # the client has given the stream up
            return
        self.flush()

    def reset_stream(self, stream: int, code: ErrorCodes) -> None:
        """Send RST_STREAM; whatever more comes of the request is not looked at."""
        self._requests.pop(stream, None)
        self.h2.reset_stream(stream, error_code=code)
        self.flush()

    def go_away(self, last_stream: int) -> None:
        """Say that streams after this one were not processed; unlike h2's own, go on answering."""
        goaway = GoAwayFrame(0, last_stream_id=last_stream).serialize()
        self.transport.write(self.h2.data_to_send() + goaway)

    def flush(self) -> None:
        """Send what h2 has ready."""
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())
