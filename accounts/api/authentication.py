"""Who asks, by the token in the Authorization header."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts.models import ApiToken
from accounts.token_hash import digests


class ApiTokenAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no types
    """knox's `Authorization: Token …`, with one query a request."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        """Return whose token it is, and the token; raise AuthenticationFailed for any other text.

        knox would also look at all other tokens of the account. Those that ended are deleted when
        old data is.
        """
        # All bytes are some text in this encoding: what is no token of ours has no row.
        known = digests(token.decode("latin-1"))
        living = ApiToken.objects.living().filter(digest__in=known)
        row = living.select_related("user").annotate(now=Now()).first()
        if row is None:
            raise AuthenticationFailed(_("Invalid token."))
        row.note_use(known[0], now=row.now)
        return row.user, row


class ApiTokenScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]  # has no types
    """How the API's schema shows it."""

    target_class = "accounts.api.authentication.ApiTokenAuthentication"
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: Any) -> Any:
        """Return knox's scheme, and say where a token comes from."""
        told = {"description": "`Token …`, with the token of `POST /api/v1/auth/token/`."}
        return super().get_security_definition(auto_schema) | told  # type: ignore[no-untyped-call]
