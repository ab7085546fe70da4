"""The banner at the top of every admin page: live or dry run, paused, no worker, what to do."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from notifications.operators.situation import situation
from radiotalk import clock

from .attention import look


def sending(request: HttpRequest) -> dict[str, Any]:
    """Return the context processor's variables; they query only where a template asks."""
    current = SimpleLazyObject(lambda: situation(now=clock.now()))
    return {
        "sending": current,
        "attention": SimpleLazyObject(lambda: look(current)),  # type: ignore[arg-type]  # the same
    }
