"""The page that shows notifications as they would look on phones, newest first.

The page asks again and again for what is new. A send costs one append here, however many pages ask.
"""

import json
import zlib
from collections import Counter, deque
from pathlib import Path
from typing import Any, Final

from .answers import HTML_HEADERS, JSON_HEADERS, Answer
from .journal import Entry

KEPT: Final = 200  # more than fits on any screen

PAGE: Final = Answer(200, (Path(__file__).parent / "phones.html").read_bytes(), HTML_HEADERS)


class Phones:
    """Remembers the last notifications that phones would show, and counts the verdicts."""

    def __init__(self) -> None:
        self._shown: deque[Entry] = deque(maxlen=KEPT)
        self._verdicts: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        """Count a line of the journal, and keep it if a phone would show it."""
        self._verdicts[entry["verdict"]] += 1
        if entry["verdict"] == "accepted":
            self._shown.append(entry)

    def since(self, n: int) -> Answer:
        """Return the counts, and the notifications later than the journal's line n."""
        cards = [_card(entry) for entry in self._shown if entry["n"] > n]
        content = {**{verdict: self._verdicts[verdict] for verdict in _VERDICTS}, "cards": cards}
        return Answer(200, json.dumps(content).encode(), [*JSON_HEADERS, _NO_CACHE])


_VERDICTS = ("accepted", "validated", "refused")
_NO_CACHE = ("cache-control", "no-store")


def _card(entry: Entry) -> dict[str, Any]:
    target = entry["token"] or ""
    return {
        "n": entry["n"],
        "at": entry["at"],
        "platform": _platform(target),
        "title": entry["title"],
        "body": entry["body"],
        "tag": entry["tag"],
        "device": f"…{target[-6:]}" if entry["kind"] in ("token", "fid") else target,
    }


def _platform(target: str) -> str:
    """Return the platform named in a token; other tokens get one of the two, always the same."""
    for platform in ("ios", "android"):
        if platform in target:
            return platform
    return ("android", "ios")[zlib.crc32(target.encode(errors="replace")) % 2]
