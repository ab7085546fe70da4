"""A NUL in an address is refused: PostgreSQL takes none, and some of Django's filters let it by."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

NUL = "%00"


def refuse_nul(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware; it answers 400 where the database would make it a 500."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if NUL in request.META.get("QUERY_STRING", ""):
            raise BadRequest("There is a NUL in the address.")
        return get_response(request)

    return middleware
