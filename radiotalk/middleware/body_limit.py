"""A body that is too large is refused by its length, before a byte of it is read or stored.

Everything takes SMALL bytes. The two uploads of a recording take a recording, and only of who may
post one there: the API's view asks that before it reads, and at the desk `guard_desk_upload` does,
since Django's CSRF check would store the whole form first. radiotalk/wsgi.py drops what a client
goes on to send of a body that nobody reads.

No request with a slow small body takes a place of request_limit.py: the body is here before.
"""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import UnreadablePostError
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

SMALL = 1024 * 1024  # bytes: of any form or JSON, and of a recording's form without the recording

API_UPLOAD = "program-talks"
DESK_UPLOAD = "admin:programs_talk_add"

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def limit_bodies(get_response: GetResponse) -> GetResponse:
    """Return the middleware; it must stand before all that reads a body or takes a place."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        # Django takes a body of unknown length for none, and `runserver` for the next request.
        has_length = (request.META.get("CONTENT_LENGTH") or "0").isdecimal()
        if "HTTP_TRANSFER_ENCODING" in request.META or not has_length:
            return refusal(request, 411, _("Say the length of what you send (Content-Length)."))
        if length_of(request) > SMALL:
            most = SMALL
            if is_upload(request, API_UPLOAD, DESK_UPLOAD):
                most += settings.AUDIO_MAX_BYTES
            if length_of(request) > most:
                told = _("What you sent is too large: %(most)d bytes are the most here.")
                return refusal(request, 413, told % {"most": most})
            return get_response(request)
        try:
            _read = request.body
        except UnreadablePostError:  # whoever sent it went away
            return HttpResponse(status=400)
        return get_response(request)

    return middleware


def guard_desk_upload(get_response: GetResponse) -> GetResponse:
    """Return the middleware; it must stand behind the one that knows who asks."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if (
            length_of(request) > SMALL
            and is_upload(request, DESK_UPLOAD)
            and not (request.user.is_staff and request.user.has_perm("programs.add_talk"))
        ):
            told = _("Nothing was posted: log in as somebody who may add talks, and post it again.")
            return refusal(request, 403, told)
        return get_response(request)

    return middleware


def length_of(request: HttpRequest) -> int:
    """Return the length of the body in bytes."""
    return int(request.META.get("CONTENT_LENGTH") or 0)


def is_upload(request: HttpRequest, *views: str) -> bool:
    """Return whether the request would post a recording to one of these views."""
    try:
        return request.method == "POST" and resolve(request.path_info).view_name in views
    except Resolver404:
        return False


def refusal(request: HttpRequest, status: int, told: str) -> HttpResponse:
    """Return the answer to a body that is not read: JSON below /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"detail": told}, status=status)
    else:
        answer = HttpResponse(told, status=status, content_type="text/plain; charset=utf-8")
    # Without it a server ends the connection, or the answer only once the body has come.
    if status != HTTPStatus.LENGTH_REQUIRED:
        answer.headers["Content-Length"] = str(len(answer.content))
    return answer
