"""How an API token is stored: as its HMAC-SHA-512, under a key that nothing else has.

Django derives the key from a SECRET_KEY and a salt of our own. After a rotation of SECRET_KEY the
keys before it (SECRET_KEY_FALLBACKS) are tried too, so that nobody is logged out.
"""

from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "accounts.ApiToken"


def keyed_hash(*, secret: str | None = None) -> Any:
    """Return what hashes a token, in the place of hashlib's functions (SECURE_HASH_ALGORITHM)."""
    return salted_hmac(SALT, "", secret=secret, algorithm="sha512")


def digests(token: str) -> list[str]:
    """Return the token's digest under today's key, then those under the keys before."""
    found = []
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        hashed = keyed_hash(secret=secret)
        hashed.update(token.encode())
        found.append(hashed.hexdigest())
    return found
