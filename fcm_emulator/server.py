"""The requests that the emulator answers: a send, an access token, the page.

The order of a send: its body is complete, the verdict is reached, the verdict is in the journal,
and only then the answer begins. All of this is one thread, so the journal has the verdicts' order.
"""

import asyncio
import re
import time
from typing import Final

from granian.rsgi import (  # type: ignore[attr-defined]  # re-exported without saying so
    HTTPProtocol,
    ProtocolClosed,
    Scope,
)

from . import answers, connection, message
from .answers import Answer, Delivery, Outcome
from .faults import Faults
from .journal import Journal
from .message import Send
from .oauth import PROJECT_ID, AccessToken, Authority
from .phones import PAGE, Phones

DRIP_SECONDS: Final = 1.0  # between two bytes

_SEND_PATH = re.compile(r"/v1/projects/([^/]+)/messages:send")
_SINCE = re.compile(r"since=(\d{1,18})")


class Emulator:
    """An RSGI application (https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md)."""

    def __init__(self, authority: Authority, journal: Journal, *, latency_seconds: float) -> None:
        self._authority = authority
        self._journal = journal
        self._latency_seconds = latency_seconds
        self._faults = Faults()
        self._phones = Phones()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        try:
            body = await protocol()
        except ProtocolClosed:
            return  # the client went away in the middle of its request
        sending = _SEND_PATH.fullmatch(scope.path) if scope.method == "POST" else None
        if sending is None:
            _write(protocol, self._other(scope, body))
        elif _is_complete(scope, body):
            outcome = self._judge(scope, project=sending[1], body=body)
            await self._deliver(scope, protocol, outcome)

    def _other(self, scope: Scope, body: bytes) -> Answer:
        """Return the answer to everything but a send."""
        match scope.method, scope.path:
            case "POST", "/token":
                return self._authority.exchange(body, time.time())
            case "GET", "/":
                return PAGE
            case "GET", "/phones.json":
                since = _SINCE.search(scope.query_string)
                return self._phones.since(int(since[1]) if since else 0)
        return answers.NOT_FOUND_PAGE

    def _judge(self, scope: Scope, *, project: str, body: bytes) -> Outcome:
        """Return the verdict on a send, which is in the journal by then."""
        now = time.time()
        access = self._authority.find(scope.headers.get("authorization", ""), now)
        send = message.read(body)
        outcome = self._verdict(send, project, access, now)
        entry = self._journal.enter(
            send,
            outcome,
            at=now,
            http=scope.http_version,
            access_token=access.short_hash if access else None,
        )
        self._phones.add(entry)
        return outcome

    def _verdict(self, send: Send, project: str, access: AccessToken | None, now: float) -> Outcome:
        if access is None:
            return answers.refused(answers.UNAUTHENTICATED)
        if project != PROJECT_ID:
            return answers.refused(answers.permission_denied(project))
        if send.violations:
            return answers.refused(answers.invalid_argument(send.violations))
        success = answers.success(f"projects/{project}/messages/{self._message_id(now)}")
        return self._faults.outcome(send.device, access.serial, success)

    def _message_id(self, now: float) -> str:
        return f"0:{int(now * 1_000_000)}%{self._journal.next_n:016x}"

    async def _deliver(self, scope: Scope, protocol: HTTPProtocol, outcome: Outcome) -> None:
        delay_seconds = self._latency_seconds + outcome.delay_seconds
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        match outcome.delivery:
            case Delivery.WHOLE:
                _write(protocol, outcome.answer)
            case Delivery.RESET:
                connection.reset(scope.client)
            case Delivery.NEVER:
                await protocol.client_disconnect()
            case Delivery.DRIP:
                await _drip(protocol, outcome.answer)


def _is_complete(scope: Scope, body: bytes) -> bool:
    """Return whether the whole body came: of a reset HTTP/2 stream granian passes on a part."""
    announced = scope.headers.get("content-length")
    return announced is None or announced == str(len(body))


def _write(protocol: HTTPProtocol, answer: Answer) -> None:
    protocol.response_bytes(answer.status, answer.headers, answer.body)


async def _drip(protocol: HTTPProtocol, answer: Answer) -> None:
    """Send one byte each second for as long as the client listens."""
    stream = protocol.response_stream(answer.status, answer.headers)
    try:
        for byte in answer.body:
            await stream.send_bytes(bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS)
    except ProtocolClosed:
        return
