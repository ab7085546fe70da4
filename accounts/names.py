"""What was typed as an account's name: which account it is, and what may be kept of it."""

import unicodedata

from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac


def folded(name: str) -> str:
    """Return the name without case. "ı" is an "I" to a database that compares in upper case."""
    return name.upper().casefold()


def account_named(typed: str) -> User | None:
    """Return the account of this name, or else of its lower case; None when there is neither."""
    name = unicodedata.normalize("NFKC", typed.strip())  # as Django's form of a log-in does
    found = User.objects.filter(username__in={name, folded(name)}).only("id", "username")
    return min(found, key=lambda account: account.username != name, default=None)


def counted_name(typed: str) -> str:
    """Return what failures are counted under: the same for all ways to write one name.

    A name that is no account's may be a password in the wrong field, so a word that is made of it
    is kept in its place.
    """
    if account := account_named(typed):
        return account.username
    name = folded(unicodedata.normalize("NFKC", typed.strip()))
    return f"unknown:{salted_hmac('accounts.names', name).hexdigest()[:16]}"
