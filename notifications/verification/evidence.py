"""What the checks look at: FCM's journal, the send log, and what only the caller knows."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings

from notifications.models import Batch, Delivery, Notification

if TYPE_CHECKING:
    from fcm_emulator.journal import Entry

CHUNK = 10_000  # rows that are in memory at a time

# What an operator's test to a device of their own says; the send log knows nothing of it.
TEST_DATA = {"test": "1"}


class UnusableEvidenceError(Exception):
    """A file of the evidence cannot be read, or has another format."""


@dataclass(frozen=True, slots=True)
class Given:
    """What neither journal nor database tells, and the caller may know."""

    # The logs to search for secrets; the lines of this service account's key are among these.
    logs: tuple[Path, ...] = ()
    credentials: str = field(default_factory=lambda: settings.GOOGLE_APPLICATION_CREDENTIALS)
    # The threads of the worker's pool.
    threads: int = field(default_factory=lambda: settings.NOTIFICATIONS_MAX_WORKERS)
    # The worker's NOTIFICATIONS_ON_5XX.
    on_5xx: str = field(default_factory=lambda: settings.NOTIFICATIONS_ON_5XX)
    # How many workers were killed; None when nobody counted.
    kills: int | None = None
    # Seconds from a notification to its first request, for 99 of 100 notifications; None: no bound.
    within: float | None = None
    # When each device (by id) ceased to be a target: a moment after that was committed.
    departures: Mapping[int, datetime] = field(default_factory=dict)


class Request(NamedTuple):
    """One POST that FCM received, and FCM's verdict on it."""

    at: float  # Unix time, seconds
    verdict: str
    status: int | None
    error: str | None
    validate_only: bool
    tag: Any

    @property
    def taken(self) -> bool:
        """Return whether FCM accepted it, or found it valid in a dry run."""
        return self.verdict in ("accepted", "validated")

    @property
    def denied(self) -> bool:
        """Return whether FCM answered "not accepted" (500, 503) and accepted it all the same."""
        return self.taken and self.status in (500, 503)


class Journal:
    """The requests of each (notification, token), in the order of FCM's verdicts.

    `unknown` are those of notifications that the database does not have, by the word that they
    name: somebody deleted the notification, or the database was put back to an earlier state.
    """

    def __init__(self, file: Path) -> None:
        self._read: defaultdict[tuple[str, str], list[Request]] = defaultdict(list)
        self.words_of_talk: defaultdict[str, set[str]] = defaultdict(set)
        self.strays = 0  # requests that name no notification, and are no operator's test
        try:
            with file.open() as lines:
                for line in lines:
                    if line.endswith("\n"):  # the emulator may be writing the last line just now
                        self._enter(json.loads(line))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnusableEvidenceError(f"{file} is no journal of the emulator: {error}") from error
        ids = ids_of({word for word, _token in self._read})
        self.requests: dict[tuple[int, str], list[Request]] = {
            (ids[word], token): requests
            for (word, token), requests in self._read.items()
            if word in ids
        }
        self.unknown: dict[tuple[str, str], list[Request]] = {
            key: requests for key, requests in self._read.items() if key[0] not in ids
        }

    def _enter(self, entry: "Entry") -> None:
        data, token = entry["data"], entry["token"]
        word = data.get("notification_id") if isinstance(data, dict) else None
        if not (token and word):
            self.strays += data != TEST_DATA
            return
        self._read[word, token].append(
            Request(
                entry["at"],
                entry["verdict"],
                entry["status"],
                entry["error"],
                entry["validate_only"],
                entry["tag"],
            )
        )
        if talk_id := data.get("talk_id"):
            self.words_of_talk[talk_id].add(word)

    def all(self) -> Iterator[tuple[tuple[int | str, str], list[Request]]]:
        """Yield the requests of all notifications, whether the database has them or not."""
        yield from self.requests.items()
        yield from self.unknown.items()


def ids_of(words: Collection[str]) -> dict[str, int]:
    """Return the number of each notification that requests name by one of these words.

    The word is its tag; the releases before named the number itself, and no tag is a number.
    """
    rows = Notification.objects.order_by().values_list("id", "tag").iterator(CHUNK)
    return {word: id for id, tag in rows for word in (str(id), tag) if word in words}


class Line(NamedTuple):
    """A line of the send log; the token is None when the device was deleted since."""

    notification_id: int
    device_id: int
    token: str | None
    outcome: str
    attempts: int
    unreached: int
    note: str  # of the operator who settled it


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence that every check gets."""

    journal: Journal | None
    given: Given
    # (notification, device) of what is being sent now: there FCM may know more than the send log.
    in_flight: frozenset[tuple[int, int]]

    def lines(self) -> Iterator[Line]:
        """Yield the send log, without what is in flight."""
        columns = "notification_id", "device_id", "device__token", "outcome", "attempts"
        rows = Delivery.objects.order_by().values_list(*columns, "unreached", "note")
        for row in rows.iterator(CHUNK):
            line = Line(*row)
            if (line.notification_id, line.device_id) not in self.in_flight:
                yield line


def in_flight() -> frozenset[tuple[int, int]]:
    """Return (notification, device) for each target of the batches that are still being sent."""
    batches = Batch.objects.filter(state=Batch.State.SENDING)
    return frozenset(
        (notification_id, device_id)
        for notification_id, targets in batches.values_list("notification_id", "targets")
        for device_id in targets
    )


def told(token: str) -> str:
    """Return the end of a token, which may be shown."""
    return f"…{token[-6:]}"
