"""What allauth asks of the project: who may log in, by what, and how secrets are kept."""

import base64
import logging
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.encoding import force_bytes
from django.utils.translation import gettext as _

from . import second_factor
from .address import address_of

logger = logging.getLogger(__name__)

KEY_BYTES = 32  # of Fernet
UNKNOWN_BYTES = 20  # as many as a secret of allauth's has
# allauth's names of the pages that ask who one is.
PASSKEY_PAGE = "mfa_reauthenticate:webauthn"
PASSWORD_PAGE = "reauthenticate"  # noqa: S105  (no password)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # has no types
    """Staff alone log in by allauth's pages, and the password is no way around a second factor."""

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Return an answer that refuses whoever is not of the staff, None for all others."""
        if user.is_active and not user.is_staff:
            request.session.flush()
            messages.error(request, _("This log-in is for staff. Your account is for the app."))
            return redirect("account_login")
        refused: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return refused

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse nobody here: accounts/lockout.py does, alike at the desk and by the API."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address whose attempts allauth counts together."""
        return address_of(request)

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Return by what a user shows who they are, the first as the default: a passkey if any.

        Whoever has a second factor does not do by the password alone.
        """
        methods = super().get_reauthentication_methods(user)
        factors = [method for method in methods if method["id"] != PASSWORD_PAGE]
        return sorted(factors, key=lambda method: method["id"] != PASSKEY_PAGE) or methods

    def is_reauthentication_required(self, **kwargs: Any) -> bool:
        """Return whether to ask again; a log-in of this moment is enough."""
        return not second_factor.may_change_factors(self.request)


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # has no types
    """Secrets of apps and of recovery codes are encrypted by a key that is not in the database."""

    def encrypt(self, text: str) -> str:
        """Return the secret as it is stored."""
        return keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret that was stored, under the key of today or one before it.

        In place of a secret that no key reads any more, return a random one: no code is right then.
        """
        try:
            return keys().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            logger.error("second_factor.unreadable")
            return base64.b32encode(secrets.token_bytes(UNKNOWN_BYTES)).decode()


def keys() -> MultiFernet:
    """Return the keys that SECRET_KEY and its predecessors give: the first one encrypts."""
    known = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key_of(secret))) for secret in known])


def key_of(secret: str | bytes) -> bytes:
    """Return a key for second factors alone: nothing else that SECRET_KEY signs tells of it."""
    derive = HKDF(SHA256(), length=KEY_BYTES, salt=None, info=b"accounts.second_factor")
    return derive.derive(force_bytes(secret))
