"""An event is one line of the log, for a person or a machine, and shows no object of Django's."""

import json
import logging
import sys
from typing import Any

import pytest
from django.test import Client

from radiotalk.logs import JsonFormatter, TextFormatter

FORMATTERS = pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])


def record(event: str, *args: object, **extra: Any) -> logging.LogRecord:
    """Return the record that the logging module makes for `logger.info(event, extra=…)`."""
    made = logging.getLogger("notifications.test").makeRecord(
        "notifications.test", logging.INFO, __file__, 1, event, args, None, extra=extra
    )
    made.created = 1795473420.123
    return made


def as_json(made: logging.LogRecord) -> Any:
    """Return the JSON object that a machine reads."""
    return json.loads(JsonFormatter().format(made))


def test_a_person_reads_time_level_event_and_pairs() -> None:
    line = TextFormatter().format(record("notification.started", notification=7, dry_run=True))

    assert line == (
        "2026-11-23T22:37:00.123+00:00 INFO notification.started notification=7 dry_run=True"
    )


def test_a_machine_reads_the_same() -> None:
    assert as_json(record("notification.started", notification=7, dry_run=True)) == {
        "at": "2026-11-23T22:37:00.123+00:00",
        "level": "INFO",
        "logger": "notifications.test",
        "event": "notification.started",
        "notification": 7,
        "dry_run": True,
    }


def test_an_event_without_pairs_ends_with_its_name() -> None:
    assert TextFormatter().format(record("worker.started")).endswith(" INFO worker.started")


@FORMATTERS
@pytest.mark.parametrize(
    "value", ["a\nb", "a\r\nb", "\x1b[2J", '"', "a=b c", "夜のラジオ\n", {"a": "b\nc"}, None, ""]
)
def test_an_event_is_one_line_whatever_its_values(
    formatter: logging.Formatter, value: object
) -> None:
    line = formatter.format(record("publish.failed", error=value))

    assert not set(line) & set("\n\r\x1b")


@FORMATTERS
def test_an_event_is_one_line_whatever_its_text(formatter: logging.Formatter) -> None:
    # Django's "Not Found: …" quotes the path that a stranger asked for.
    line = formatter.format(record("Not Found: %s", "/a\n2026-11-23 INFO all.well\r"))

    assert not set(line) & set("\n\r")


def test_a_value_with_spaces_is_one_value() -> None:
    line = TextFormatter().format(record("redis.away", error='it said "no"'))

    assert line.endswith(r'error="it said \"no\""')


def test_japanese_stays_readable() -> None:
    made = record("talk.posted", title="夜のラジオ 第42回")

    assert 'title="夜のラジオ 第42回"' in TextFormatter().format(made)
    assert '"title": "夜のラジオ 第42回"' in JsonFormatter().format(made)


def failed() -> logging.LogRecord:
    """Return the record of an exception."""
    made = record("worker.failed")
    try:
        raise RuntimeError("a defect")
    except RuntimeError:
        made.exc_info = sys.exc_info()
    return made


def test_a_person_reads_the_traceback_below_its_line() -> None:
    lines = TextFormatter().format(failed()).splitlines()

    assert lines[0].endswith("INFO worker.failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "RuntimeError: a defect"


def test_a_machine_reads_the_traceback_in_its_line() -> None:
    line = JsonFormatter().format(failed())

    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("RuntimeError: a defect")


def test_what_json_has_no_word_for_is_told_as_text() -> None:
    assert as_json(record("x", error=ValueError("no")))["error"] == "no"


@pytest.mark.django_db
@FORMATTERS
def test_a_request_that_failed_shows_nothing_of_the_request(
    formatter: logging.Formatter, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/nowhere", headers={"authorization": "Token hunter-two"})

    lines = [formatter.format(each) for each in caplog.records]
    assert len(lines) == 1
    assert "Not Found: /nowhere" in lines[0]
    assert "hunter-two" not in lines[0]
    assert "WSGIRequest" not in lines[0]


@FORMATTERS
def test_a_statement_that_django_logs_shows_none_of_its_parameters(
    formatter: logging.Formatter,
) -> None:
    made = record(
        "(0.000) SELECT", duration=0.1, sql="SELECT %s", params=["token"], alias="default"
    )

    assert "token" not in formatter.format(made)
