"""The JSON of programs, clips and talks."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied

from programs.audio import AudioTooLarge, InvalidAudio, read_audio
from programs.models import Clip, Program, Talk

from .querysets import user_of
from .uploads import PayloadTooLarge


class ProgramSerializer(serializers.ModelSerializer[Program]):
    """A program, as the asking user sees it."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    mine = serializers.SerializerMethodField()
    clipped = serializers.BooleanField(read_only=True, default=False)
    muted = serializers.BooleanField(read_only=True, default=False)

    class Meta:
        model = Program
        fields = [
            "id",
            "owner",
            "title",
            "description",
            "dry_run",
            "mine",
            "clipped",
            "muted",
            "created_at",
        ]

    def get_mine(self, program: Program) -> bool:
        """Return whether the asking user owns the program."""
        return program.owner_id == user_of(self.context["request"]).pk

    def update(self, program: Program, changed: dict[str, Any]) -> Program:
        """Write the fields that were sent and no others, and return the program.

        An operator may set `dry_run` at the same moment: raise PermissionDenied for a change that
        would take an operator's dry run away.
        """
        rows = Program.objects.filter(pk=program.pk)
        goes_live = not changed.get("dry_run", True)
        allowed = rows.filter(dry_run_by_operator=False) if goes_live else rows
        if changed and not allowed.update(**changed):
            if rows.exists():
                raise PermissionDenied(
                    _("Operators have set this program to dry run: only they can take it away.")
                )
            raise NotFound
        for name, value in changed.items():
            setattr(program, name, value)
        return program


class ClipSerializer(serializers.ModelSerializer[Clip]):
    """The clip by which the asking user follows a program."""

    class Meta:
        model = Clip
        fields = ["program", "muted", "created_at"]
        read_only_fields = ["program"]


class TalkSerializer(serializers.ModelSerializer[Talk]):
    """A posted talk."""

    # The queryset must select `program` as well: get_notification reads its owner for each talk.
    notification = serializers.SerializerMethodField()

    class Meta:
        model = Talk
        fields = [
            "id",
            "program",
            "title",
            "description",
            "audio",
            "duration",
            "posted_at",
            "notification",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_notification(self, talk: Talk) -> str | None:
        """Return the address of the notification's progress, null unless the owner asks."""
        request = self.context["request"]
        if talk.program.owner_id != user_of(request).pk:
            return None
        return str(request.build_absolute_uri(reverse("talk-notification", args=[talk.pk])))


class NewTalkSerializer(serializers.ModelSerializer[Talk]):
    """The form that posts a talk; the recording is judged by its content."""

    # An empty file is refused by read_audio, as all other bad ones are.
    audio = serializers.FileField(allow_empty_file=True)

    class Meta:
        model = Talk
        fields = ["title", "description", "audio"]

    def validate_audio(self, file: "UploadedFile[Any]") -> "UploadedFile[Any]":
        """Return the file and keep what was read of it; raise an error for a bad one."""
        try:
            self.recording = read_audio(file)
        except AudioTooLarge as error:
            raise PayloadTooLarge({"audio": [str(error)]}) from error
        except InvalidAudio as error:
            raise serializers.ValidationError(str(error)) from error
        return file
