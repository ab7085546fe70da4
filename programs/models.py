"""Programs, the talks posted to them, and the clips by which listeners follow them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from radiotalk import clock

from .invisible import first_untitled, is_invisible


def is_one_visible_line(title: str) -> None:
    """Raise ValidationError unless the title is one line that people see as it is."""
    if all(map(is_invisible, title)):
        raise ValidationError(_("Nobody would see this title: all its characters are invisible."))
    if code_point := first_untitled(title):
        message = _(
            "There is a character in the title that nobody sees, breaks its line or turns its text "
            "around (%(code_point)s): leave it out."
        )
        raise ValidationError(message % {"code_point": code_point})


class TitleField(models.CharField):  # type: ignore[type-arg]  # generic for mypy only
    """A title: one line, which people see as it is. The admin and the API refuse another."""

    default_validators = [is_one_visible_line]

    def deconstruct(self) -> Any:
        """Return the field as migrations know it: the database has no such rule."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class Program(models.Model):
    """A user's radio show."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        related_name="programs",
    )
    title = TitleField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    dry_run = models.BooleanField(
        _("dry run"),
        default=False,
        help_text=_("Notifications of this program are validated by FCM and reach nobody."),
    )
    dry_run_by_operator = models.BooleanField(
        _("dry run set by an operator"),
        default=False,
        editable=False,
        help_text=_("Its owner cannot take the dry run away."),
    )
    created_at = models.DateTimeField(_("created at"), default=clock.by_default, editable=False)

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.title)


def audio_name(talk: "Talk", filename: str) -> str:
    """Return a generated name with the extension of `filename`, which the content has decided."""
    extension = filename.rpartition(".")[2].lower()
    return f"talks/{datetime.now(UTC):%Y/%m}/{uuid.uuid4().hex}.{extension}"


class Talk(models.Model):
    """One posted recording. Saving a new talk notifies the program's listeners."""

    program = models.ForeignKey(
        Program, verbose_name=_("program"), on_delete=models.CASCADE, related_name="talks"
    )
    title = TitleField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    audio = models.FileField(_("audio"), upload_to=audio_name, blank=True, max_length=200)
    duration = models.FloatField(_("duration"), default=0, help_text=_("In seconds."))
    posted_at = models.DateTimeField(_("posted at"), default=clock.by_default)
    # The database says when, not who writes the row (an import may set posted_at): a message about
    # an old talk announces nothing. Null for talks that are older than this column.
    created_at = models.DateTimeField(_("created at"), null=True, db_default=Now(), editable=False)
    audio_bytes = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Null, not "", for no key: the unique constraint lets any number of talks have null.
    idempotency_key = models.CharField(  # noqa: DJ001
        max_length=255, null=True, blank=True, default=None, editable=False
    )
    content_digest = models.CharField(max_length=64, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("talk")
        verbose_name_plural = _("talks")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "idempotency_key"], name="talk_posted_once_per_idempotency_key"
            )
        ]
        indexes = [
            # Answers how many bytes a user's recordings have, without reading the table.
            models.Index(fields=["program", "audio_bytes"], name="talk_bytes_of_program"),
        ]

    def __str__(self) -> str:
        return str(self.title)

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save in a transaction: what receivers of post_save write is committed with the talk."""
        super().save(*args, **kwargs)


class Clip(models.Model):
    """A listener follows a program."""

    listener = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("listener"),
        on_delete=models.CASCADE,
        related_name="clips",
        db_index=False,  # the unique constraint has an index
    )
    program = models.ForeignKey(
        Program,
        verbose_name=_("program"),
        on_delete=models.CASCADE,
        related_name="clips",
        db_index=False,  # clip_of_program is one
    )
    muted = models.BooleanField(
        _("muted"), default=False, help_text=_("Follows the program without notifications.")
    )
    created_at = models.DateTimeField(_("created at"), default=clock.by_default, editable=False)

    class Meta:
        verbose_name = _("clip")
        verbose_name_plural = _("clips")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["listener", "program"], name="clip_once_per_listener_and_program"
            )
        ]
        indexes = [
            # Answers who follows a program, and whether a listener does, without reading the table.
            models.Index(fields=["program", "muted", "listener"], name="clip_of_program"),
        ]

    def __str__(self) -> str:
        return f"{self.listener} → {self.program}"
