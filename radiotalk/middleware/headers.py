"""What each answer tells browsers and proxies, beside what Django and django-csp tell them.

An answer that does not say for how long it may be kept is kept by nobody: what the desk and the API
tell is for who asked. Static files say it; recordings are for everybody.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# What a page may use of the machine in front of which somebody sits.
ALLOWED = {
    "accelerometer": "()",
    "autoplay": "(self)",  # recordings
    "bluetooth": "()",
    "camera": "()",
    "display-capture": "()",
    "fullscreen": "(self)",
    "geolocation": "()",
    "gyroscope": "()",
    "hid": "()",
    "idle-detection": "()",
    "magnetometer": "()",
    "microphone": "()",
    "midi": "()",
    "payment": "()",
    "publickey-credentials-create": "(self)",  # passkeys
    "publickey-credentials-get": "(self)",
    "screen-wake-lock": "()",
    "serial": "()",
    "usb": "()",
    "xr-spatial-tracking": "()",
}
PERMISSIONS_POLICY = ", ".join(f"{name}={who}" for name, who in ALLOWED.items())


def add_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware; what a view says itself stays."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if not request.path.startswith(settings.MEDIA_URL):
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware
