"""The API's answers are those that its schema tells, whatever is asked (schemathesis).

Each operation of the schema is asked what the schema allows, and what it forbids, of rows that are
there and of others: by the rows' owner, by somebody else and by nobody. `make fuzz` asks more.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis import Case, HookContext
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from accounts.models import ApiToken
from notifications.tests.factories import DeviceTokenFactory
from programs.tests.factories import ClipFactory, ProgramFactory, TalkFactory
from programs.tests.recordings import DIRECTORY, wav
from radiotalk.wsgi import application

# Of each operation, asked by each; `make fuzz` sets it.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))

# The numbers of each kind of row that is there. No sequence of PostgreSQL comes so far.
OWN, ANOTHERS = 1_000_000_001, 1_000_000_002
PASSWORD = "correct-horse-battery"

RECORDINGS = [wav(), *(path.read_bytes() for path in sorted(DIRECTORY.iterdir()))]
# Whether an answer is one that the schema tells.
AS_TOLD = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CHECKS = [*AS_TOLD, not_a_server_error, unsupported_method, ignored_auth]

schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)


def bounded(examples: int) -> settings:
    """Return hypothesis' settings: so many examples, the same in each run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        # The rows are as they were after each example.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def flatmap_body(context: HookContext, asked: Any) -> Any:
    """Let half of the log-ins succeed, and half of the forms with a recording have a real one."""
    also: st.SearchStrategy[Any] = st.nothing()
    operation = context.operation.label if context.operation else ""
    if operation == "POST /api/v1/auth/token/":
        also = st.just({"username": "anna", "password": PASSWORD})
    elif operation == "POST /api/v1/programs/{program_id}/talks/" and isinstance(asked, dict):
        also = st.sampled_from(RECORDINGS).map(lambda audio: asked | {"audio": audio})
    return st.just(asked) | also


schema.hook(flatmap_body)


@pytest.fixture
def one_transaction(db: None) -> Iterator[None]:
    """Keep the connection that the test's transaction is on, as Django's own test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


Tokens = dict[str, dict[str, str]]


@pytest.fixture
def headers(one_transaction: None, tmp_path: Path, settings: Settings) -> Tokens:
    """Make the rows; return what each who asks says of themselves."""
    settings.MEDIA_ROOT = tmp_path
    said: Tokens = {"nobody": {}}
    for name, number in (("anna", OWN), ("ben", ANOTHERS)):
        user = User.objects.create_user(name, password=PASSWORD)
        _row, token = ApiToken.objects.create(user, pk=number)
        program = ProgramFactory.create(pk=number, owner=user)
        TalkFactory.create(pk=number, program=program)
        DeviceTokenFactory.create(pk=number, user=user)
        said[name] = {"Authorization": f"Token {token}"}
    ClipFactory.create(pk=OWN, listener=user, program_id=OWN)
    return said


def play(case: Case[Any], headers: dict[str, str]) -> None:
    """Ask, look at the answer, and take back what was changed."""
    case.path_parameters = {name: row(asked) for name, asked in case.path_parameters.items()}
    with transaction.atomic():
        case.call_and_validate(headers=headers, checks=CHECKS)
        transaction.set_rollback(True)


def row(asked: Any) -> Any:
    """Return the number of a row in place of three numbers of four, and all else as it is."""
    if not str(asked).isdecimal():
        return asked
    return [OWN, OWN, ANOTHERS, asked][int(asked) % 4]


on_postgresql = pytest.param("anna", marks=pytest.mark.engines, id="anna, on PostgreSQL")


@schema.parametrize()
@pytest.mark.parametrize("who", ["anna", on_postgresql])
@bounded(EXAMPLES)
def test_an_owner_is_answered_by_the_schema(case: Case[Any], who: str, headers: Tokens) -> None:
    play(case, headers[who])


@schema.parametrize()
@pytest.mark.parametrize("who", ["ben", "nobody"])
@bounded(max(1, EXAMPLES // 5))
def test_others_are_answered_by_the_schema(case: Case[Any], who: str, headers: Tokens) -> None:
    play(case, headers[who])
