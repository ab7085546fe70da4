"""How the whole web API turns content and errors into answers."""

import logging
import sys
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from rest_framework import renderers, status, views
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.response import Response

from notifications.database_errors import DATABASE_AWAY
from programs.disk import DISK_FULL, DiskFullError

logger = logging.getLogger(__name__)


class Unavailable(APIException):
    """503: the database did not do its work. Whether it did a part of it, nobody knows."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _(
        "The database does not answer, or somebody keeps it locked. What you asked for may have "
        "been done all the same: look before you ask again."
    )


class Conflict(APIException):
    """409: another request made or deleted what this request is about, while this one ran."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("What this is about was changed by another request. Try again.")
    default_code = "conflict"


class InsufficientStorage(APIException):
    """507: there is no room for what was sent (RFC 4918, 11.5)."""

    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = DISK_FULL
    default_code = "insufficient_storage"


class EscapingJSONRenderer(renderers.JSONRenderer):
    """JSON in ASCII."""

    ensure_ascii = True


class JSONRenderer(renderers.JSONRenderer):
    """JSON in UTF-8; in ASCII when an error quotes half a surrogate, which UTF-8 cannot encode."""

    def render(self, *args: Any, **kwargs: Any) -> bytes:
        """Return the answer's body."""
        try:
            return super().render(*args, **kwargs)
        except UnicodeEncodeError:
            return EscapingJSONRenderer().render(*args, **kwargs)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error, None for a defect of ours, which becomes a 500."""
    if isinstance(error, RecursionError):  # of DRF's JSONParser
        error = ParseError(_("The JSON is nested too deeply."))
    if isinstance(error, SuspiciousOperation):  # a body of megabytes, say; Django answers in HTML
        error = ParseError()
    if isinstance(error, IntegrityError):  # the database decides between requests at once
        logger.warning("request.conflict", extra={"error": str(error).partition("\n")[0]})
        error = Conflict()
    if isinstance(error, DiskFullError):
        error = InsufficientStorage()
    return views.exception_handler(error, context)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the answer to an unknown address: JSON below /api/, a page elsewhere."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return told_in_json(NotFound)


def failed(request: HttpRequest) -> HttpResponse:
    """Return the answer to an error that nobody has handled: 503 when it is the database's.

    JSON below /api/, a page elsewhere.
    """
    kind = Unavailable if isinstance(sys.exception(), DATABASE_AWAY) else APIException
    if request.path.startswith("/api/"):
        return told_in_json(kind)
    if kind is Unavailable:
        told = str(kind.default_detail)
        return HttpResponse(told, status=kind.status_code, content_type="text/plain; charset=utf-8")
    return defaults.server_error(request)


def told_in_json(kind: type[APIException]) -> JsonResponse:
    """Return the API's answer to this kind of error."""
    return JsonResponse({"detail": kind.default_detail}, status=kind.status_code)
