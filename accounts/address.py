"""Where a request comes from: the one place that reads X-Forwarded-For."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Return the client's address; "" where there is none, as behind a Unix socket.

    X-Forwarded-For is written by the client as far as our own proxies did not append to it, so only
    the entry of the outermost of our TRUSTED_PROXIES counts. Without it, it is who connected to us.
    """
    connected = parsed(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.TRUSTED_PROXIES
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < proxies <= len(hops):
        return parsed(hops[-proxies]) or connected
    return connected


def parsed(text: str) -> str:
    """Return an address as it is usually written, "" for what is none."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.scope_id:  # of an interface of the host's; no column holds it
            return ""
        address = address.ipv4_mapped or address
    return str(address)
