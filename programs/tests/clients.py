"""HTTP clients for tests of the API, and a rival that acts in the middle of a request."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient


def client_of(user: User) -> APIClient:
    """Return an HTTP client of the API that is logged in as the user."""
    client = APIClient()
    client.force_authenticate(user)
    return client


def overtaken_by(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, rival: Callable[[], Any]
) -> None:
    """Have `rival` act in the middle of a request, whenever `method` of `owner` has returned."""
    original = getattr(owner, method)

    def overtaken(*arguments: Any, **options: Any) -> Any:
        returned = original(*arguments, **options)
        rival()
        return returned

    monkeypatch.setattr(owner, method, overtaken)
