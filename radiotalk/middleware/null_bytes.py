"""A page whose address holds a NUL is answered 400.

The admin's filters hand the NUL on, and PostgreSQL refuses it with an error that would be a 500.
Addresses of the API pass: its own filters refuse the NUL, and say which parameter holds it.
"""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

NULL_BYTE = "%00"


def refuse_null_bytes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware; it raises BadRequest, which Django answers with 400."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        is_page = not request.path.startswith("/api/")
        if is_page and NULL_BYTE in request.META.get("QUERY_STRING", ""):
            raise BadRequest("There is a NUL in the address.")
        return get_response(request)

    return middleware
