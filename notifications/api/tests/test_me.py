"""One's own account over HTTP: erased by whoever has its token and its password."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from accounts.models import Act
from notifications.models import Delivery, DeviceToken
from notifications.tests.factories import DeliveryFactory, DeviceTokenFactory
from programs.models import Program
from programs.tests.clients import client_of
from programs.tests.factories import ProgramFactory, TalkFactory

ME = "/api/v1/me/"
PASSWORD = "correct horse battery"


@pytest.fixture
def anna(db: None) -> User:
    """Return who asks, who talks and listens."""
    anna = User.objects.create_user("anna", password=PASSWORD)
    ProgramFactory.create(owner=anna)
    DeliveryFactory.create(device=DeviceTokenFactory.create(user=anna))
    return anna


@pytest.fixture
def api(anna: User) -> APIClient:
    """Return the HTTP client of `anna`."""
    return client_of(anna)


@pytest.fixture
def failed_log_ins() -> Iterator[list[str]]:
    """Yield the names of whoever fails to log in; django-axes counts by the same signal."""
    names: list[str] = []

    def note(request: HttpRequest, credentials: dict[str, str], **kwargs: object) -> None:
        assert isinstance(request, HttpRequest)
        names.append(credentials["username"])

    user_login_failed.connect(note)
    yield names
    user_login_failed.disconnect(note)


def test_an_account_is_erased_by_its_owner(
    api: APIClient, anna: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    talk = TalkFactory.create(program=anna.programs.get())
    recording = Path(talk.audio.path)

    with django_capture_on_commit_callbacks(execute=True):
        answer = api.delete(ME, {"password": PASSWORD})

    assert (answer.status_code, answer.content) == (204, b"")
    assert not User.objects.filter(username="anna").exists()
    assert not Program.objects.filter(owner_id=anna.pk).exists()
    assert not DeviceToken.objects.filter(user_id=anna.pk).exists()
    assert not recording.exists()
    act = Act.objects.get()  # of what waited to be sent; the erasing is no operator's
    assert (act.name, act.account_name) == ("operator.cancelled", "its owner")


@pytest.mark.parametrize(
    ("body", "code"), [({}, 400), ({"password": ""}, 400), ({"password": "wrong"}, 403)]
)
def test_without_the_password_nothing_is_erased(
    api: APIClient, anna: User, body: dict[str, str], code: int
) -> None:
    answer = api.delete(ME, body)

    assert answer.status_code == code
    assert User.objects.filter(username="anna").exists()
    assert Delivery.objects.get().device is not None


def test_a_wrong_password_counts_as_a_failed_log_in(
    api: APIClient, failed_log_ins: list[str]
) -> None:
    api.delete(ME, {"password": "wrong"})

    assert failed_log_ins == ["anna"]


def staff(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)


def was_staff(user: User) -> None:
    LogEntry.objects.log_actions(user.pk, [user], CHANGE)


@pytest.mark.parametrize("becomes", [staff, was_staff])
def test_an_operators_account_is_not_erased(
    api: APIClient, anna: User, becomes: Callable[[User], None]
) -> None:
    becomes(anna)

    answer = api.delete(ME, {"password": PASSWORD})

    assert answer.status_code == 403
    assert "Deactivate it instead." in answer.json()["detail"]
    assert User.objects.filter(username="anna").exists()


def test_nobody_is_erased_without_a_log_in(anna: User) -> None:
    assert APIClient().delete(ME, {"password": PASSWORD}).status_code == 401
