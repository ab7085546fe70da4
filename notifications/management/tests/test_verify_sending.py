"""`manage.py verify_sending`: what people and machines are told, and the exit code."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, ProgrammingError, connection

from notifications.models import Notification
from notifications.tests.factories import NotificationFactory

pytestmark = pytest.mark.django_db


def verify(*arguments: str | Path) -> tuple[int, str]:
    """Return the exit code and what is printed."""
    output = StringIO()
    try:
        call_command("verify_sending", *map(str, arguments), stdout=output)
    except SystemExit as exit:
        return int(str(exit.code)), output.getvalue()
    return 0, output.getvalue()


def test_it_tells_what_holds_and_what_only_a_journal_shows() -> None:
    code, told = verify()

    assert code == 0
    assert "I1  never twice             holds" in told
    assert "I5  one attempt, one POST   not checked: needs the journal" in told


def test_a_violation_is_told_with_an_example_and_ends_with_1() -> None:
    notification = NotificationFactory.create(state="done")
    Notification.objects.update(sent_count=1)

    code, told = verify()

    assert code == 1
    assert "I3  the log is true         VIOLATED 1 times" in told
    assert f"the counters of notification {notification.id} are not those" in told


def test_a_machine_gets_one_object(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.touch()

    code, told = verify("--journal", journal, "--json")

    answer = json.loads(told)
    assert code == 0
    assert answer["holds"] is True
    assert list(answer["invariants"]) == [f"I{number}" for number in range(1, 11)]
    assert answer["invariants"]["I5"]["checked"] is True
    assert answer["invariants"]["I10"]["checked"] is False


def test_a_file_that_is_no_journal_ends_with_2(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no journal") as error:
        verify("--journal", tmp_path / "none.jsonl")

    assert error.value.returncode == 2


@pytest.mark.parametrize("trouble", [OperationalError, ProgrammingError, InterfaceError])
def test_a_database_that_cannot_be_read_is_told_apart_from_a_violation(
    trouble: type[Exception],
) -> None:
    def fail(*args: object) -> None:
        raise trouble("connection refused")

    with connection.execute_wrapper(fail), pytest.raises(CommandError, match="Nothing was") as end:
        verify()

    assert end.value.returncode == 5
    assert "connection refused" in str(end.value)
