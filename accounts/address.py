"""Where a request comes from."""

from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Return the client's address; "" where there is none."""
    return str(request.META.get("REMOTE_ADDR", ""))
