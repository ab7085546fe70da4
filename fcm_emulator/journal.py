"""The journal: one JSON line per request to messages:send, written before its answer.

The journal is the witness from outside: `accepted` means that a phone would show the notification,
so two accepted lines with the same token and `data.notification_id` are a double. A line is one
write to the system, so any reader sees it at once, and it outlives a kill -9 of the emulator.
"""

import json
import os
from pathlib import Path
from typing import Any, TypedDict

from .answers import Outcome
from .message import Send


class Entry(TypedDict):
    """A line of the journal."""

    at: float  # Unix time of the verdict, seconds
    n: int  # sequence of verdicts, from 1 in each file
    token: str | None  # the target of the message; `kind` says of which kind it is
    kind: str | None  # token, fid, topic or condition
    validate_only: bool
    verdict: str  # accepted, validated or refused
    status: int | None  # HTTP status that will be answered, None for no answer
    error: str | None  # FCM's error code, or the name of the fault
    title: Any  # this and the next three as they were sent, valid or not
    body: Any
    data: Any
    tag: Any
    http: str  # 2 or 1.1
    access_token: str | None  # short hash; None when this emulator did not give it


class Journal:
    """Appends to a file; a restarted emulator appends to the same one."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with file.open("rb") as lines:
            self.next_n = 1 + sum(1 for _ in lines)

    def enter(
        self, send: Send, outcome: Outcome, *, at: float, http: str, access_token: str | None
    ) -> Entry:
        """Write down the verdict on a request; return the line, which is in the file by then."""
        entry: Entry = {
            "at": at,
            "n": self.next_n,
            "token": send.target,
            "kind": send.kind,
            "validate_only": send.validate_only,
            "verdict": _verdict(send, outcome),
            "status": outcome.status,
            "error": outcome.error,
            "title": send.title,
            "body": send.body,
            "data": send.message.get("data"),
            "tag": send.tag,
            "http": http,
            "access_token": access_token,
        }
        line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False) + "\n"
        os.write(self._file, line.encode(errors="backslashreplace"))
        self.next_n += 1
        return entry


def read(file: Path) -> list[Entry]:
    """Return the entries of a journal, also of one that is being written."""
    whole_lines = file.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole_lines.splitlines()]


def _verdict(send: Send, outcome: Outcome) -> str:
    if not outcome.accepted:
        return "refused"
    return "validated" if send.validate_only else "accepted"
