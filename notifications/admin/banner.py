"""The banner at the top of every admin page: live or dry run, paused, no worker, what to do.

It is for who may view sending.
"""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from notifications.operators.situation import situation
from radiotalk import clock

from .attention import look


def sending(request: HttpRequest) -> dict[str, Any]:
    """Return the context processor's variables; they query only where a template asks.

    Both are None for who may not view sending.
    """
    current = SimpleLazyObject(lambda: situation(now=clock.now()) if may_view(request) else None)
    return {
        "sending": current,
        "attention": SimpleLazyObject(lambda: look(current) if current else None),  # type: ignore[arg-type]  # the same
    }


def may_view(request: HttpRequest) -> bool:
    """Return whether the user may view the switch, or what is being sent."""
    models = ("sendingswitch", "notification")
    rights = (f"notifications.{act}_{model}" for model in models for act in ("view", "change"))
    return any(map(request.user.has_perm, rights))
