"""What a user may see and change; whatever is missing here is answered 404."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from rest_framework.request import Request

from programs.models import Clip, Program, Talk


def user_of(request: Request) -> User:
    """Return who asks; the permission IsAuthenticated comes before."""
    return cast(User, request.user)


def programs_seen_by(user: User) -> QuerySet[Any]:
    """Return every program, with `clipped` and `muted` as they are for the user."""
    clips = Clip.objects.filter(listener=user, program=OuterRef("pk"))
    return Program.objects.select_related("owner").annotate(
        clipped=Exists(clips), muted=Exists(clips.filter(muted=True))
    )


def programs_owned_by(user: User) -> QuerySet[Any]:
    """Return the programs that the user may change and post to."""
    return programs_seen_by(user).filter(owner=user)


def talks_of_all() -> QuerySet[Talk]:
    """Return every talk: whoever may listen may look."""
    return Talk.objects.select_related("program")
