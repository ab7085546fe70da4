"""Starts the emulator: its options, files and port, and the line that says where it listens."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP2Settings
from granian.server.embed import Server

from . import certificates, oauth
from .journal import Journal
from .server import Emulator

HOST: Final = "127.0.0.1"  # loopback only: whoever reaches the emulator can get any answer
DEFAULT_PORT: Final = 8443
DEFAULT_DIRECTORY: Final = Path(__file__).parents[1] / "var" / "emulator"
STREAMS_PER_CONNECTION: Final = 100  # as at FCM
REQUESTS_AT_ONCE: Final = 50_000  # far above what any test keeps in flight
CONNECT_AGAIN_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    port: int
    latency: float  # milliseconds
    tls: bool
    journal: Path | None
    directory: Path
    stop_with_stdin: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The content of endpoint.json: where the emulator listens, and the files that clients need."""

    url: str
    ca_file: str | None  # None without TLS
    service_account_file: str
    journal: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the emulator's options, for its own command line and for Django's."""
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)"
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="MS", help="before each answer to a send"
    )
    parser.add_argument("--tls", action="store_true", help="HTTPS, with a certificate of its own")
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="one JSON line a send (default: in --directory)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=DEFAULT_DIRECTORY,
        metavar="DIR",
        help="where it writes its files (default %(default)s)",
    )
    parser.add_argument(
        "--stop-with-stdin",
        action="store_true",
        help="stop when stdin ends, so that a killed parent leaves nothing running",
    )


def options_from(parsed: Mapping[str, Any]) -> Options:
    """Return the emulator's options among parsed arguments; Django adds others."""
    return Options(**{field.name: parsed[field.name] for field in fields(Options)})


def run(options: Options) -> None:
    """Serve until SIGTERM, SIGINT or, if asked to, the end of stdin."""
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    directory = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with _reserved_port(options.port) as port:
        endpoint = _endpoint(options, directory, port)
        server = _server(options, directory, endpoint, port)
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(_stop_event(options).wait())
        started = asyncio.create_task(listening(port))
        await asyncio.wait([serving, stopping, started], return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            _announce(directory, endpoint)
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            # granian's own stop would wait for requests that are never answered, or answer them
            # with 500. Nothing is lost without it: the journal has every verdict already.
            os._exit(0)
        await serving
        sys.exit("The FCM emulator's server has ended by itself.")


@contextlib.contextmanager
def _reserved_port(port: int) -> Iterator[int]:
    """Yield the port, or a free one for 0, and keep it from others until the server listens.

    Two granian servers can listen on one port (SO_REUSEPORT), and would share its requests
    silently. Binding the port here first fails when anybody listens on it.
    """
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reservation.bind((HOST, port))
        except OSError as error:
            sys.exit(f"The FCM emulator cannot listen on {HOST}:{port}: {error.strerror}.")
        except OverflowError:
            sys.exit(f"The FCM emulator cannot listen on {HOST}:{port}: ports end at 65535.")
        yield reservation.getsockname()[1]


def _endpoint(options: Options, directory: Path, port: int) -> Endpoint:
    scheme = "https" if options.tls else "http"
    return Endpoint(
        url=f"{scheme}://{HOST}:{port}",
        ca_file=str(directory / "ca.pem") if options.tls else None,
        service_account_file=str(directory / "service-account.json"),
        journal=str((options.journal or directory / "journal.jsonl").resolve()),
    )


def _server(options: Options, directory: Path, endpoint: Endpoint, port: int) -> Server:
    account = oauth.write_service_account(
        Path(endpoint.service_account_file), token_uri=f"{endpoint.url}/token"
    )
    emulator = Emulator(
        oauth.Authority(account),
        Journal(Path(endpoint.journal)),
        latency_seconds=options.latency / 1000,
    )
    found = certificates.prepare(directory, datetime.now(UTC)) if options.tls else None
    return Server(
        emulator,
        address=HOST,
        port=port,
        interface=Interfaces.RSGI,
        websockets=False,
        backpressure=REQUESTS_AT_ONCE,
        http2_settings=HTTP2Settings(max_concurrent_streams=STREAMS_PER_CONNECTION),
        log_enabled=False,
        ssl_cert=found.server if found else None,
        ssl_key=found.key if found else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )


def _stop_event(options: Options) -> asyncio.Event:
    """Return an event that a signal sets, or the end of stdin if asked for."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if options.stop_with_stdin:
        # The parent never writes to this stdin, so it becomes readable only when it ends.
        loop.add_reader(sys.stdin.fileno(), stopped.set)
    return stopped


async def listening(port: int) -> None:
    """Return as soon as the port takes connections."""
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            await asyncio.sleep(CONNECT_AGAIN_SECONDS)
        else:
            writer.close()
            return


def _announce(directory: Path, endpoint: Endpoint) -> None:
    """Write endpoint.json, whole or not at all, and print the settings that lead here."""
    unfinished = directory / "endpoint.json.new"
    unfinished.write_text(json.dumps(asdict(endpoint), indent=2) + "\n")
    unfinished.replace(directory / "endpoint.json")
    settings = {
        "FCM_ENDPOINT": endpoint.url,
        "FCM_CA_FILE": endpoint.ca_file,
        "GOOGLE_APPLICATION_CREDENTIALS": endpoint.service_account_file,
    }
    shown = " ".join(f"{name}={value}" for name, value in settings.items() if value)
    print(f"FCM emulator listening on {endpoint.url} {shown}", flush=True)
