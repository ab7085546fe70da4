"""What a supervisor asks over HTTP: is the process alive, and can it do its work?"""

import logging

from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from notifications import locks, schema
from notifications.database_errors import waited_too_long
from notifications.operators.situation import open_notifications, situation
from notifications.operators.troubles import problems
from radiotalk import clock

logger = logging.getLogger(__name__)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database is as needed and the worker works, else 503 with the reason.

    Redis is not asked: without Redis the worker finds the same talks, up to a second later.
    """
    try:
        with locks.waiting_briefly():
            problem = schema.problem()
            found = [] if problem else problems(situation(now=clock.now()), open_notifications())
    except Error as error:
        logger.warning("readyz.failed", extra={"error": type(error).__name__})
        told = "does not answer"
        if waited_too_long(error):
            told = f"locked by another session ({locks.holders() or 'unknown'})"
        return JsonResponse({"status": "unavailable", "database": told}, status=503)
    if problem:
        logger.warning("readyz.failed", extra={"error": problem})
        return JsonResponse({"status": "unavailable", "database": problem}, status=503)
    if found:
        answer = {"status": "unavailable", "database": "ok", "worker": found}
        return JsonResponse(answer, status=503)
    return JsonResponse({"status": "ok", "database": "ok", "worker": "ok"})
