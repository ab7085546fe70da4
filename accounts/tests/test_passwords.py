"""A password has twelve characters at least, wherever it is set."""

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.tests.doors import operator

SHORT = "kT7-pq9-zR4"  # eleven
LONG = "kT7-pq9-zR4x"


def test_eleven_characters_are_too_few() -> None:
    with pytest.raises(ValidationError, match="at least 12 characters"):
        validate_password(SHORT)
    validate_password(LONG)


@pytest.mark.django_db
@pytest.mark.parametrize(("password", "is_taken"), [(SHORT, False), (LONG, True)])
def test_the_desk_asks_for_twelve(admin_client: Client, password: str, is_taken: bool) -> None:
    anna = operator("anna")
    twice = {"password1": password, "password2": password, "usable_password": "true"}

    admin_client.post("/admin/auth/user/add/", twice | {"username": "bert"})
    admin_client.post(f"/admin/auth/user/{anna.pk}/password/", twice | {"set-password": "1"})

    anna.refresh_from_db()
    assert User.objects.filter(username="bert").exists() == is_taken
    assert anna.check_password(password) == is_taken
