"""What operators did, append-only: rows are written, and never changed or deleted.

On PostgreSQL and SQLite a trigger refuses to change or delete them (migration 0004), whoever asks.
What Python can ask for is refused here already, in words.
"""

from typing import Any, Never

from django.db import models
from django.utils.translation import gettext_lazy as _

from radiotalk import clock

from ..who import MAX_NAME


class AppendOnlyError(TypeError):
    """Some code wants to change or delete what operators did."""

    def __init__(self) -> None:
        super().__init__("Acts of operators are kept as they were: they are only ever added.")


class ActQuerySet(models.QuerySet["Act"]):
    def update(self, **values: Any) -> Never:
        """Raise AppendOnlyError."""
        raise AppendOnlyError

    def delete(self) -> Never:
        """Raise AppendOnlyError."""
        raise AppendOnlyError


class Act(models.Model):
    """One act of an operator, told without reference to rows that may change or go."""

    at = models.DateTimeField(_("at"), default=clock.by_default)
    name = models.CharField(_("act"), max_length=100)  # of the event: operator.paused
    account_id = models.BigIntegerField(_("account"), null=True)  # none: a command without --as
    account_name = models.CharField(_("name then"), max_length=MAX_NAME)
    address = models.CharField(_("address"), max_length=45, blank=True)  # of IPv6 at most
    about = models.CharField(_("about"), max_length=200, blank=True)  # notification 42
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)

    objects = ActQuerySet.as_manager()

    class Meta:
        verbose_name = _("act")
        verbose_name_plural = _("acts")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account_id", "-id"], name="act_of_account"),
            # The desk's search: how an act's name begins. (PostgreSQL wants to know that.)
            models.Index(fields=["name"], name="act_by_name", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.about}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new row; raise AppendOnlyError for one that is in the database."""
        if not self._state.adding:
            raise AppendOnlyError
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Never:
        """Raise AppendOnlyError."""
        raise AppendOnlyError
