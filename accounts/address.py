"""Where a request comes from."""

from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Return the client's address."""
    address: str = request.META.get("REMOTE_ADDR", "")
    return address
