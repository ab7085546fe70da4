"""What is kept of a person, model by model: the one table, for whoever exports or erases it.

A test walks all models from which a path leads to an account, and fails for one that is not here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Expression, Model, QuerySet
from django.db.models.functions import Right


@dataclass(frozen=True, slots=True)
class Kept:
    """What one model keeps of an account."""

    whose: str  # the lookup by which its rows are an account's
    told: tuple[str, ...]  # what an export tells: no secret, and nobody else's name
    computed: Mapping[str, Expression] = field(default_factory=dict)  # told as well


@dataclass(frozen=True, slots=True)
class NotKept:
    """A model with a path to an account that keeps nothing of the person."""

    because: str


# By model, as `app.Model`; those of apps that are not installed do not count.
TABLE: dict[str, Kept | NotKept] = {
    "auth.User": Kept(
        "pk",
        (
            "id", "username", "first_name", "last_name", "email", "is_active", "is_staff",
            "date_joined", "last_login",
        ),
    ),
    "programs.Program": Kept("owner", ("id", "title", "description", "dry_run", "created_at")),
    "programs.Talk": Kept(
        "program__owner",
        (
            "id", "program_id", "title", "description", "audio", "duration", "posted_at",
            "idempotency_key", "content_digest",
        ),
    ),
    "programs.Clip": Kept("listener", ("program_id", "program__title", "muted", "created_at")),
    "notifications.Notification": Kept(
        "talk__program__owner",
        ("id", "talk_id", "state", "dry_run", "title", "body", "created_at", "finished_at"),
    ),
    "notifications.DeviceToken": Kept(
        "user",
        ("id", "kind", "platform", "created_at", "refreshed_at", "disabled_at"),
        {"token_end": Right("token", 6)},
    ),
    "notifications.Delivery": Kept(
        "device__user",
        (
            "notification_id", "device_id", "outcome", "message_id", "error_code", "attempts",
            "next_attempt_at", "at",
        ),
    ),
    "notifications.TestPush": Kept(
        "device__user", ("device_id", "requested_at", "state", "code", "answered_at")
    ),
    "notifications.Batch": NotKept("it has numbers of devices, which are nobody's once they go"),
    "admin.LogEntry": Kept(
        "user", ("action_time", "content_type__model", "object_id", "object_repr", "action_flag")
    ),
    "accounts.Act": Kept("account_id", ("at", "name", "about", "reason", "address")),
    "accounts.ApiToken": Kept("user", ("name", "created", "last_used_at", "expiry")),
    "account.EmailAddress": Kept("user", ("email", "verified", "primary")),
    "account.EmailConfirmation": Kept("email_address__user", ("created", "sent")),
    "mfa.Authenticator": Kept("user", ("type", "created_at", "last_used_at")),
}  # fmt: skip


def kept() -> Iterator[tuple[type[Model], Kept]]:
    """Yield each model that keeps something of accounts, with what it keeps."""
    for label, entry in TABLE.items():
        if isinstance(entry, Kept) and apps.is_installed(app_of(label)):
            yield apps.get_model(label), entry


def app_of(label: str) -> str:
    """Return the name of the app of a model, "" when it is not installed."""
    names = {config.label: config.name for config in apps.get_app_configs()}
    return names.get(label.partition(".")[0], "")


def rows(model: type[Model], of: User) -> QuerySet[Any]:
    """Return the rows of a model that are an account's."""
    entry = TABLE[model._meta.label]
    assert isinstance(entry, Kept)  # noqa: S101  (for mypy)
    return model._default_manager.filter(**{entry.whose: of.pk})


def counts(of: User) -> dict[str, int]:
    """Return how much is kept of an account, by what it is called."""
    return {str(model._meta.verbose_name_plural): rows(model, of).count() for model, _ in kept()}


def log_ins(of: User) -> Iterator[QuerySet[Any]]:
    """Yield what is kept of tries to log in under the account's name (django-axes)."""
    for model in apps.get_app_config("axes").get_models():
        if any(each.name == "username" for each in model._meta.get_fields()):
            yield model._default_manager.filter(username=of.get_username())
