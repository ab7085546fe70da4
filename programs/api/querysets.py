"""The programs and talks that a user may see or change; the API answers 404 for all others."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from rest_framework.request import Request

from programs.models import Clip, Program, Talk


def user_of(request: Request) -> User:
    """Return the asking user; IsAuthenticated has refused everybody else."""
    return cast(User, request.user)


def programs_seen_by(user: User) -> QuerySet[Any]:
    """Return every program, annotated with whether the user clips it, and with a muted clip."""
    clips = Clip.objects.filter(listener=user, program=OuterRef("pk"))
    return Program.objects.select_related("owner").annotate(
        clipped=Exists(clips), muted=Exists(clips.filter(muted=True))
    )


def programs_owned_by(user: User) -> QuerySet[Any]:
    """Return the programs that the user may change and post to."""
    return programs_seen_by(user).filter(owner=user)


def talks_of_all() -> QuerySet[Talk]:
    """Return every talk: every user may listen to every program."""
    return Talk.objects.select_related("program")
