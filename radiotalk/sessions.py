"""How the API knows a browser's session: by its cookie, and the CSRF token by its header alone."""

from typing import Any

from django.http import QueryDict
from drf_spectacular.authentication import SessionScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class WithoutForm:
    """A request whose form is not read. Looking for the token there would store a whole upload."""

    POST = QueryDict()

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        """Return all else as the request has it."""
        return getattr(self._request, name)


class HeaderSessionAuthentication(SessionAuthentication):
    """Django's session; what changes something needs the header X-CSRFToken."""

    def enforce_csrf(self, request: Request) -> None:
        """Raise PermissionDenied without the header, before the body is read."""
        super().enforce_csrf(WithoutForm(request))  # type: ignore[arg-type]


class HeaderSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]  # has no types
    """Tells the schema of it; drf-spectacular finds this class by itself."""

    target_class = "radiotalk.sessions.HeaderSessionAuthentication"
