"""A faster FCM for benchmarks: TLS, HTTP/2, OAuth and counts, but no checks and no journal.

The emulator judges every request and writes it down before it answers; on two cores that costs more
CPU than the worker that is measured. `GET /counts` says, for each notification, how many requests
came and when, and how long streams stood idle: median and 99th percentile of the time from an
answer to the next request on its connection.

    python -m benchmarks.stub --directory DIR [--latency MS] [--tail PERCENT:MS …]
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from granian.constants import Interfaces
from granian.http import HTTP2Settings
from granian.server.embed import Server

from fcm_emulator import certificates, oauth
from fcm_emulator.launch import HOST, listening
from testbed.process import free_port

STREAMS_PER_CONNECTION: Final = 100  # as at FCM
REQUESTS_AT_ONCE: Final = 50_000
JSON: Final = [("content-type", "application/json; charset=UTF-8")]

TARGET = re.compile(rb'"(?:token|fid)": ?"([^"]*)"')
NOTIFICATION = re.compile(rb'"notification_id": ?"([^"]+)"')


@dataclass
class Latency:
    """How long answers take: most take `seconds`, and a share of them as long as a tail says."""

    seconds: float
    tails: list[tuple[float, float]]  # share, seconds
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311

    def draw(self) -> float:
        """Return the seconds that the next answer takes."""
        if not self.tails:
            return self.seconds
        point = self.chance.random()
        for share, seconds in self.tails:
            point -= share
            if point < 0:
                return seconds
        return self.seconds


@dataclass
class Tally:
    """The requests of one notification: how many, how many for a target once more, and when."""

    requests: int = 0
    again: int = 0
    first_at: float = 0
    last_at: float = 0
    seen: set[bytes] = field(default_factory=set)
    by_second: Counter[int] = field(default_factory=Counter)
    idle: dict[str, deque[float]] = field(default_factory=dict)  # since when, by connection
    waits: list[float] = field(default_factory=list)

    def answered(self, client: str) -> None:
        """Note that a stream of this connection is idle."""
        self.idle.setdefault(client, deque()).append(time.monotonic())

    def add(self, target: bytes, client: str) -> None:
        """Count one request."""
        if idle := self.idle.get(client):
            self.waits.append(time.monotonic() - idle.popleft())
        self.last_at = time.time()
        self.first_at = self.first_at or self.last_at
        self.by_second[int(self.last_at)] += 1
        self.requests += 1
        self.again += target in self.seen
        self.seen.add(target)

    def _seconds(self) -> range:
        return range(int(self.first_at), int(self.last_at) + 1)

    def told(self) -> dict[str, Any]:
        """Return the tally as JSON will have it."""
        return {
            "requests": self.requests,
            "again": self.again,
            "targets": len(self.seen),
            "first_at": self.first_at,
            "last_at": self.last_at,
            "by_second": [self.by_second[second] for second in self._seconds()],
            "turnaround": self._turnaround(),
        }

    def _turnaround(self) -> tuple[float, float]:
        waits = sorted(self.waits) or [0.0]
        return waits[len(waits) // 2], waits[len(waits) * 99 // 100]


class Stub:
    """An RSGI application that accepts everything."""

    def __init__(self, authority: oauth.Authority, latency: Latency) -> None:
        self._authority = authority
        self._latency = latency
        self._tallies: dict[bytes, Tally] = {}
        self._serial = 0

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        body = await protocol()
        if scope.path.endswith("messages:send"):
            tally = self._count(body, scope.client)
            if delay := self._latency.draw():
                await asyncio.sleep(delay)
            self._serial += 1
            name = b'{"name":"projects/radiotalk-emulator/messages/0:%d"}' % self._serial
            tally.answered(scope.client)
            protocol.response_bytes(200, JSON, name)
        elif scope.path == "/token":
            answer = self._authority.exchange(body, time.time())
            protocol.response_bytes(answer.status, answer.headers, answer.body)
        else:
            protocol.response_bytes(200, JSON, self._told())

    def _count(self, body: bytes, client: str) -> Tally:
        target, notification = TARGET.search(body), NOTIFICATION.search(body)
        key = notification[1] if notification else b""
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
        tally.add(target[1] if target else b"", client)
        return tally

    def _told(self) -> bytes:
        told = {key.decode(): tally.told() for key, tally in self._tallies.items()}
        return json.dumps(told).encode()


def tail(text: str) -> tuple[float, float]:
    """Return share and seconds of `PERCENT:MS`."""
    percent, _, milliseconds = text.partition(":")
    return float(percent) / 100, float(milliseconds) / 1000


async def serve(directory: Path, latency: Latency) -> None:
    """Serve until stdin ends or SIGTERM comes; endpoint.json says where."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"https://{HOST}:{port}"
    account_file = directory / "service-account.json"
    account = oauth.write_service_account(account_file, token_uri=f"{url}/token")
    found = certificates.prepare(directory, datetime.now(UTC))
    server = Server(
        Stub(oauth.Authority(account), latency),
        address=HOST,
        port=port,
        interface=Interfaces.RSGI,
        websockets=False,
        backpressure=REQUESTS_AT_ONCE,
        http2_settings=HTTP2Settings(max_concurrent_streams=STREAMS_PER_CONNECTION),
        log_enabled=False,
        ssl_cert=found.server,
        ssl_key=found.key,
    )
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_reader(sys.stdin.fileno(), stopped.set)
    serving = asyncio.create_task(server.serve())
    await listening(port)
    endpoint = {
        "url": url,
        "ca_file": str(directory / "ca.pem"),
        "service_account_file": str(account_file),
    }
    print(json.dumps(endpoint), flush=True)
    await asyncio.wait(
        [serving, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    os._exit(0)  # nothing is left to save; granian would wait for the answers


def main() -> None:
    """Serve as the arguments say."""
    parser = argparse.ArgumentParser("python -m benchmarks.stub", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--tail", type=tail, action="append", default=[], metavar="PERCENT:MS")
    options = parser.parse_args()
    asyncio.run(serve(options.directory, Latency(options.latency / 1000, options.tail)))


if __name__ == "__main__":
    main()
