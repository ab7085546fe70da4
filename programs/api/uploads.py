"""How an upload is received: no byte beyond the limit is stored, and the client gets an answer."""

from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import DataAndFiles, MultiPartParser

from programs.audio import too_large
from programs.disk import raise_if_dropped


class PayloadTooLarge(APIException):
    """413 Content Too Large (RFC 9110, 15.5.14)."""

    status_code = 413
    default_code = "too_large"


class LimitHandler(FileUploadHandler):
    """Stops storing when a request's files together pass AUDIO_MAX_BYTES.

    The rest of the request is read and dropped: a client whose connection is cut while it still
    sends never sees the 413.
    """

    received_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Hand the chunk to the handlers that store it; raise StopUpload beyond the limit."""
        self.received_bytes += len(raw_data)
        if self.is_exceeded:
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that stored it."""

    @property
    def is_exceeded(self) -> bool:
        """Return whether more bytes than allowed have come."""
        return self.received_bytes > settings.AUDIO_MAX_BYTES


class RecordingParser(MultiPartParser):
    """Reads a form with a recording.

    Raises PayloadTooLarge for one over the limit, DiskFullError for one that finds no room.
    """

    def parse(
        self, stream: Any, media_type: Any = None, parser_context: Any = None
    ) -> "DataAndFiles[Any, Any]":
        """Return the form's fields and files."""
        request = parser_context["request"]
        limit = LimitHandler(request)
        request.upload_handlers.insert(0, limit)
        try:
            parsed = super().parse(stream, media_type, parser_context)
        except SuspiciousOperation as error:  # Django would answer with a page of HTML
            raise ParseError(_("The form has too many fields, or too long ones.")) from error
        if limit.is_exceeded:
            raise PayloadTooLarge({"audio": [str(too_large())]})
        raise_if_dropped(request.upload_handlers)
        return parsed
