"""Fixtures of the programs' tests."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from programs.models import Program
from programs.tests.clients import client_of
from programs.tests.factories import ProgramFactory, UserFactory
from programs.tests.recordings import Files


@pytest.fixture(autouse=True)
def files(tmp_path: Path, settings: Settings) -> Files:
    """Give each test its own directories; return a function that lists the files in them."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "temporary"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return lambda: [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture
def user(db: None) -> User:
    """Return the user who asks."""
    return UserFactory.create(username="anna")


@pytest.fixture
def api(user: User) -> APIClient:
    """Return the HTTP client of `user`."""
    return client_of(user)


@pytest.fixture
def program(user: User) -> Program:
    """Return a program that `user` owns."""
    return ProgramFactory.create(owner=user)


@pytest.fixture
def other_program(db: None) -> Program:
    """Return somebody else's program."""
    return ProgramFactory.create()
