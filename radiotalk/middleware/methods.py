"""Outside the API browsers ask: by GET, HEAD and POST, and no other method is answered.

Django's admin takes any other method for a GET, and allauth's forms take a PUT for a POST.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed

TAKEN = ("GET", "HEAD", "POST")


def refuse_other_methods(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware; the API's views say themselves which methods they take."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method not in TAKEN and not request.path.startswith("/api/"):
            return HttpResponseNotAllowed(TAKEN)
        return get_response(request)

    return middleware
