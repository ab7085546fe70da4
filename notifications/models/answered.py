"""The operators' answers to the desk's questions: a form that is sent twice is done once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.who import MAX_NAME
from radiotalk import clock


class AnsweredFormQuerySet(models.QuerySet["AnsweredForm"]):
    def take(self, form: UUID, *, by: str, asked: str, now: datetime) -> tuple[AnsweredForm, bool]:
        """Return the form's answer, and whether it is the first: only then may the act be done."""
        return self.get_or_create(pk=form, defaults={"by": by, "asked": asked, "at": now})


class AnsweredForm(models.Model):
    """An operator's yes to a question of the desk.

    The row is committed before the act is done, and stays once something may have been done: a
    second click, or a page that is sent again, finds the row and does nothing more.
    """

    id = models.UUIDField(_("form"), primary_key=True)
    by = models.CharField(_("by"), max_length=MAX_NAME)
    asked = models.TextField(_("asked"))
    at = models.DateTimeField(_("at"), default=clock.by_default)
    happened = models.TextField(
        _("what happened"), blank=True, help_text=_("Empty when it broke off: look, then ask anew.")
    )

    objects = AnsweredFormQuerySet.as_manager()

    class Meta:
        verbose_name = _("answered question")
        verbose_name_plural = _("answered questions")
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.asked
