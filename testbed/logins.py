"""The accounts of `make run`: made once, their passwords kept in var/ and shown at every start."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from django.contrib.auth.models import User

PASSWORD_BYTES = 9
OPERATOR, TALKER = "operator", "talker"  # `seed` makes programs for a user of the latter name


def passwords(file: Path) -> dict[str, str]:
    """Return the password of each account, from the file or made and written there."""
    if not file.exists():
        file.touch(mode=0o600)
        made = {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in (OPERATOR, TALKER)}
        file.write_text(json.dumps(made, indent=2) + "\n")
    kept: dict[str, str] = json.loads(file.read_text())
    return kept


def ensure(logins: Mapping[str, str]) -> None:
    """Make the accounts, or put their passwords back: what is shown has to work."""
    for name, password in logins.items():
        is_operator = name == OPERATOR
        user, _created = User.objects.get_or_create(
            username=name, defaults={"is_staff": is_operator, "is_superuser": is_operator}
        )
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
