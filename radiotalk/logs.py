"""How a log record becomes one line: an event and its key-values, for a person or for a machine.

logger.info("notification.started", extra={"notification": 7, "dry_run": True})
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

# The attributes that every record has; all others came with `extra`.
STANDARD_ATTRIBUTES = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# Django's own records carry these as well. Some are whole objects or hold secrets, and the record's
# text says what matters of them.
IGNORED_ATTRIBUTES = {"request", "server_time", "status_code", "sql", "params", "alias", "duration"}


def key_values(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the record's caller passed as `extra`."""
    return {
        key: value
        for key, value in vars(record).items()
        if key not in STANDARD_ATTRIBUTES and key not in IGNORED_ATTRIBUTES
    }


def moment(record: logging.LogRecord) -> str:
    """Return the record's time in UTC, to the millisecond."""
    return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")


class TextFormatter(logging.Formatter):
    """One line for a person: `2026-11-23T22:37:00.123+00:00 INFO notification.started …`."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = " ".join(f"{key}={self.shown(value)}" for key, value in key_values(record).items())
        event = record.getMessage().replace("\n", "\\n").replace("\r", "\\r")
        line = f"{moment(record)} {record.levelname} {event} {pairs}".rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line

    @staticmethod
    def shown(value: object) -> str:
        """Return the value as text, quoted unless it is one printable word without a quote."""
        text = str(value)
        plain = text.isprintable() and not set(text) & set(' "')
        return text if plain else json.dumps(text, ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a machine."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": moment(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **key_values(record),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)
