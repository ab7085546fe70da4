"""At most REQUEST_LIMIT requests run at once; the others wait, and none of them fails.

`runserver` answers each client in a thread of its own, and each thread keeps its connection to the
database. PostgreSQL takes 97 by default, so some of a hundred uploads at once would get a 500. A
process of gunicorn has fewer threads than the limit, so that no request waits there.
"""

import threading
from collections.abc import Callable

from django.db import connections
from django.http import HttpRequest, HttpResponseBase

REQUEST_LIMIT = 40

UNLIMITED_PATH = "/healthz"  # its view does not use the database


def limit_requests(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware. Outside of it nothing may use the database."""
    free = threading.BoundedSemaphore(REQUEST_LIMIT)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path == UNLIMITED_PATH:
            return get_response(request)
        with free:
            response = get_response(request)
            # A thread keeps its connection while it waits, so beyond the limit no thread keeps one.
            if threading.active_count() > REQUEST_LIMIT:
                connections.close_all()
            return response

    return middleware
