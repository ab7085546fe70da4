"""A NUL in a page's address is refused: PostgreSQL takes none, and the admin's filters let it by.

The API's own filters say which parameter it is.
"""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

NULL_BYTE = "%00"


def refuse_null_bytes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware; it answers 400 where the database would make it a 500."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        is_page = not request.path.startswith("/api/")
        if is_page and NULL_BYTE in request.META.get("QUERY_STRING", ""):
            raise BadRequest("There is a NUL in the address.")
        return get_response(request)

    return middleware
