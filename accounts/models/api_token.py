"""API tokens: one a device that logged in. Of a token's text only a keyed hash is stored.

A token holds as long as three things hold: its end has not come, its account is active, and the
account's password is the one with which the token was made. All three are compared whenever the
token is used, in the query that reads it (`living`), so no way of changing a password or of
deactivating an account can forget the tokens. Rows of tokens that hold no more are deleted besides
(accounts/revoking.py), so that an account that is activated again has none.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import ExpressionWrapper, Q, QuerySet
from django.db.models.functions import SHA256, Coalesce, Now
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken, AuthTokenManager, get_digest_token
from knox.settings import CONSTANTS, knox_settings

from radiotalk import clock

MAX_NAME = 100  # characters


def fingerprint(password: str) -> str:
    """Return by what a token remembers its account's password, which is stored hashed already."""
    return sha256(password.encode()).hexdigest()


class Fingerprint(SHA256):
    """The same in the database; Django's own function needs PostgreSQL's extension pgcrypto."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "ENCODE(SHA256(CONVERT_TO(%(expressions)s, 'UTF8')), 'hex')"
        return self.as_sql(compiler, connection, template=template, **context)


LIVING = Q(user__is_active=True, fingerprint=Fingerprint("user__password"), expiry__gt=Now())


class ApiTokenQuerySet(QuerySet["ApiToken"]):
    """Tokens, by whether they let anybody in."""

    def living(self) -> "ApiTokenQuerySet":
        """Return the tokens that let their account in."""
        return self.filter(LIVING)

    def dead(self) -> "ApiTokenQuerySet":
        """Return the tokens that let nobody in any more."""
        return self.exclude(LIVING)

    def with_lets_in(self) -> QuerySet[Any]:
        """Return the tokens, each with `lets_in`: whether it lets its account in."""
        lets_in = ExpressionWrapper(LIVING, models.BooleanField())
        rows: QuerySet[Any] = self.annotate(lets_in=lets_in)
        return rows

    def by_use(self) -> "ApiTokenQuerySet":
        """Return the tokens, those used last first; a new one counts as used."""
        return self.order_by(Coalesce("last_used_at", "created").desc(), "-id")


class ApiTokenManager(AuthTokenManager.from_queryset(ApiTokenQuerySet)):  # type: ignore[misc]
    """Makes tokens as knox does, but by the database's clock: hosts do not agree on the time."""

    def create(
        self,
        user: User,
        expiry: timedelta | None = None,
        prefix: str | None = None,
        **fields: Any,
    ) -> "tuple[ApiToken, str]":
        """Return a new token of the user's, and its text, which is kept nowhere."""
        digest, text = get_digest_token(prefix)
        now = clock.now()
        row = self.get_queryset().create(
            user=user,
            digest=digest,
            token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH],
            fingerprint=fingerprint(user.password),
            created=now,
            expiry=now + (expiry or knox_settings.TOKEN_TTL),
            **fields,
        )
        return row, text


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no types
    """One device's way into the API."""

    digest = models.CharField(_("digest"), max_length=CONSTANTS.DIGEST_LENGTH)
    name = models.CharField(_("device"), max_length=MAX_NAME, blank=True)
    fingerprint = models.CharField(_("fingerprint of the password"), max_length=64)
    created = models.DateTimeField(_("made at"), default=clock.by_default)
    last_used_at = models.DateTimeField(_("last used at"), null=True)  # to about a minute
    expiry = models.DateTimeField(_("ends at"))

    objects = ApiTokenManager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            # Serves each request with a token.
            models.UniqueConstraint(fields=["digest"], name="a_digest_is_one_token")
        ]

    def __str__(self) -> str:
        return f"{self.name or '–'} ({self.pk})"

    def note_use(self, digest: str, *, now: datetime) -> None:
        """Write when the token was used and the end that follows, at most once a minute.

        `digest` is the token's under today's key, which replaces the one under a key before.
        """
        least = timedelta(seconds=knox_settings.MIN_REFRESH_INTERVAL)
        if self.last_used_at is not None and now - self.last_used_at < least:
            return
        end = min(now + knox_settings.TOKEN_TTL, self.created + knox_settings.AUTO_REFRESH_MAX_TTL)
        # Of requests at once, one writes.
        unchanged = ApiToken.objects.filter(pk=self.pk, last_used_at=self.last_used_at)
        unchanged.update(last_used_at=now, expiry=end, digest=digest)
