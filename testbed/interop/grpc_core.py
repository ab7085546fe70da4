"""An FCM on gRPC's C core, whose HTTP/2 is Google's own: journals each call, then answers it.

python -m testbed.interop.grpc_core OPTIONS     (a JSON object; see `Options`)
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

HOST = "127.0.0.1"
CALLS_AT_ONCE = 64  # threads; further calls wait


@dataclass(frozen=True, slots=True)
class Options:
    """Where it listens, what it shows, and arguments of the core (grpc_types.h)."""

    port: int
    chain: str
    key: str
    journal: str
    latency_ms: float = 0
    arguments: dict[str, int] = field(default_factory=dict)


class Fcm(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """Takes every path; a request is a message's JSON, and so is an answer."""

    def __init__(self, journal: Path, *, latency_seconds: float) -> None:
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._latency_seconds = latency_seconds

    def service(self, handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.send)

    def send(self, request: bytes, _context: Any) -> bytes:
        """Accept one message."""
        token = json.loads(request)["message"]["token"]
        line = json.dumps({"token": token, "verdict": "accepted"}) + "\n"
        os.write(self._journal, line.encode())
        time.sleep(self._latency_seconds)
        return json.dumps({"name": f"projects/radiotalk-emulator/messages/{token}"}).encode()


def serve(options: Options) -> None:
    """Serve until SIGTERM."""
    server = grpc.server(
        ThreadPoolExecutor(CALLS_AT_ONCE),
        handlers=[Fcm(Path(options.journal), latency_seconds=options.latency_ms / 1000)],
        options=list(options.arguments.items()),
    )
    shown = (Path(options.key).read_bytes(), Path(options.chain).read_bytes())
    server.add_secure_port(f"{HOST}:{options.port}", grpc.ssl_server_credentials([shown]))
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(Options(**json.loads(sys.argv[1])))
