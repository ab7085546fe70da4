"""A fixture of the admin's tests."""

import pytest
from pytest_django import Settings


@pytest.fixture
def production(settings: Settings) -> None:
    """Let everything but the sending switch and the permissions say live."""
    settings.ENVIRONMENT = "production"
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/a/service-account.json"
