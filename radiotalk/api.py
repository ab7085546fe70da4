"""What all of the web API has in common: how content and errors become answers."""

import logging
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from rest_framework import renderers, status, views
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.response import Response

logger = logging.getLogger(__name__)


class Conflict(APIException):
    """What the request is about went away, or was made, while it was answered."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("What this is about was changed by another request. Try again.")
    default_code = "conflict"


class EscapingJSONRenderer(renderers.JSONRenderer):
    """JSON in ASCII."""

    ensure_ascii = True


class JSONRenderer(renderers.JSONRenderer):
    """JSON in UTF-8, or in ASCII where that has no code: half a surrogate that an error quotes."""

    def render(self, *args: Any, **kwargs: Any) -> bytes:
        """Return the answer's body."""
        try:
            return super().render(*args, **kwargs)
        except UnicodeEncodeError:
            return EscapingJSONRenderer().render(*args, **kwargs)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error, None for one that is a defect of ours (500)."""
    if isinstance(error, RecursionError):  # DRF's JSONParser lets it through
        error = ParseError(_("The JSON is nested too deeply."))
    if isinstance(error, SuspiciousOperation):  # megabytes, say; Django's answer is HTML
        error = ParseError()
    if isinstance(error, IntegrityError):  # decided by the database, not by who looked first
        logger.warning("request.conflict", extra={"error": str(error).partition("\n")[0]})
        error = Conflict()
    return views.exception_handler(error, context)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the answer to an address that is not there; below /api/ it is JSON as all others."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": NotFound.default_detail}, status=NotFound.status_code)
