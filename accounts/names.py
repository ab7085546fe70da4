"""What was typed as an account's name: which account it is, and what may be kept of it."""

import unicodedata

from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac

LONGEST_NAME = 150  # characters, of Django's User


def composed(typed: str) -> str:
    """Return the name as Django's form of a log-in does.

    One too long to be an account's is cut: a body of 1 MB with accents alone takes minutes (the
    time grows with the square of their number), and meanwhile no thread of the process runs.
    """
    return unicodedata.normalize("NFKC", typed.strip()[: LONGEST_NAME + 1])


def folded(name: str) -> str:
    """Return the name without case. "ı" is an "I" to a database that compares in upper case."""
    return name.upper().casefold()


def account_named(typed: str) -> User | None:
    """Return the account of this name, or else of its lower case; None when there is neither."""
    name = composed(typed)
    found = User.objects.filter(username__in={name, folded(name)}).only("id", "username")
    return min(found, key=lambda account: account.username != name, default=None)


def counted_name(typed: str) -> str:
    """Return what failures are counted under: the same for all ways to write one name.

    A name that is no account's may be a password in the wrong field, so a word that is made of it
    is kept in its place.
    """
    if account := account_named(typed):
        return account.username
    name = folded(composed(typed))
    return f"unknown:{salted_hmac('accounts.names', name).hexdigest()[:16]}"
