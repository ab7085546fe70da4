"""The accounts of `make run`; their passwords are kept in var/ and shown at every start."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from django.contrib.auth.models import User

PASSWORD_BYTES = 9
OPERATOR, TALKER = "operator", "talker"  # `seed` makes its programs for a user named `talker`


def passwords(file: Path) -> dict[str, str]:
    """Return the password of each account; the first call makes them and writes the file."""
    if not file.exists():
        file.touch(mode=0o600)
        made = {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in (OPERATOR, TALKER)}
        file.write_text(json.dumps(made, indent=2) + "\n")
    kept: dict[str, str] = json.loads(file.read_text())
    return kept


def ensure(logins: Mapping[str, str]) -> None:
    """Make the accounts, or set their passwords again: the shown passwords have to work."""
    for name, password in logins.items():
        is_operator = name == OPERATOR
        user, _created = User.objects.get_or_create(
            username=name, defaults={"is_staff": is_operator, "is_superuser": is_operator}
        )
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
