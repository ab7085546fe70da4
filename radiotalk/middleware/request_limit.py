"""How many requests are handled at once: the others wait for their turn, and none fails."""

import threading
from collections.abc import Callable

from django.db import connections
from django.http import HttpRequest, HttpResponseBase

# `runserver` has a thread for each client, each keeps a connection to the database, and PostgreSQL
# has 97 by default: of a hundred uploads at once some got a 500. So many are handled at a time, and
# no more threads than that keep their connection. A process of gunicorn's never has as many.
REQUEST_LIMIT = 40

ALWAYS = "/healthz"  # asks nothing of the database


def limit_requests(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware; the outermost, before any that reads the database."""
    turns = threading.BoundedSemaphore(REQUEST_LIMIT)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path == ALWAYS:
            return get_response(request)
        with turns:
            response = get_response(request)
            if threading.active_count() > REQUEST_LIMIT:
                connections.close_all()
            return response

    return middleware
