"""/media/: the recordings, and nothing else of MEDIA_ROOT or around it.

A proxy may serve them instead (docs/operations.md says with which headers).
"""

import re
from pathlib import Path

from django.conf import settings
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotModified,
)
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.static import was_modified_since

from .audio import CONTENT_TYPES

# As models.audio_name makes them.
NAME = re.compile(rf"talks/\d{{4}}/\d{{2}}/[0-9a-f]{{32}}\.({'|'.join(CONTENT_TYPES)})", re.ASCII)

# What is in a file never changes, but it may be deleted: within a day caches have forgotten it.
CACHED_SECONDS = 24 * 3600

# Whatever somebody smuggles into a recording, no browser runs it as a page of ours.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": f"public, max-age={CACHED_SECONDS}, immutable",
}


@csrf_exempt  # nothing is changed: who posts is told 405, and no body is read to look for a token
@require_safe
def recording(request: HttpRequest, name: str) -> HttpResponseBase:
    """Return the recording of that name, or that it has not changed since; raise Http404."""
    found = NAME.fullmatch(name)
    if not found:
        raise Http404
    file = inside(Path(settings.MEDIA_ROOT), name)
    changed_at = file.stat().st_mtime
    headers = HEADERS | {"Last-Modified": http_date(changed_at)}
    if not was_modified_since(request.headers.get("If-Modified-Since"), changed_at):
        return HttpResponseNotModified(headers=headers)
    kind = CONTENT_TYPES[found[1]]
    return FileResponse(file.open("rb"), filename=file.name, content_type=kind, headers=headers)


def inside(directory: Path, name: str) -> Path:
    """Return the file of that name; raise Http404 where there is none, or a link leads out."""
    try:
        file = (directory / name).resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links that go round in a circle
        raise Http404 from None
    if not file.is_relative_to(directory.resolve()) or not file.is_file():
        raise Http404
    return file
