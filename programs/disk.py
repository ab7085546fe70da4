"""A full disk: the upload is given up, nothing of it stays, and whoever posted it is told so."""

import errno
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)

DISK_FULL = _(
    "The server's disk is full: nothing was posted. Try again when its operators have made room."
)


class DiskFullError(Exception):
    """There is no room for a file in the directory that is named, or a quota is used up."""


@contextmanager
def finding_room(directory: Any) -> Iterator[None]:
    """Log and raise DiskFullError when there is no room for what is written into the directory."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        logger.error("disk.full", extra={"directory": str(directory)})
        raise DiskFullError(str(directory)) from error


def directory_of_uploads() -> str:
    """Return where large uploads wait; raise DiskFullError when none of Python's has room."""
    try:
        return settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir()
    except FileNotFoundError as error:  # Python tried to write into each, and names them
        logger.error("disk.full", extra={"directory": str(error)})
        raise DiskFullError(str(error)) from error


def store(storage: Storage, name: str, file: "File[Any]") -> str:
    """Return the name by which the whole file is stored; raise DiskFullError without room for it.

    Nothing of a file stays that could not be stored.
    """
    try:
        with finding_room(settings.MEDIA_ROOT):
            stored = storage.save(name, file)
            # From another disk Django copies a file without asking how much was written.
            if storage.size(stored) < file.size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except Exception:
        storage.delete(name)
        raise
    return stored


class TemporaryFileHandler(TemporaryFileUploadHandler):
    """Keeps a large upload in a temporary file until the request is answered.

    Without room for it, the file is deleted at once and `error` says so. The rest of the request is
    read and dropped: a client whose connection is cut while it still sends never sees an answer.
    """

    error: DiskFullError | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Create the temporary file."""
        with self._stopping_without_room():
            super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the next bytes."""
        with self._stopping_without_room():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> "UploadedFile[Any] | None":
        """Return the file, of which the last bytes are written now."""
        with self._stopping_without_room():
            return super().file_complete(file_size)

    @contextmanager
    def _stopping_without_room(self) -> Iterator[None]:
        try:
            with finding_room(directory_of_uploads()):
                yield
        except DiskFullError as error:
            self.error = error
            if hasattr(self, "file"):
                with suppress(OSError):  # of bytes that are not written yet
                    self.file.close()
            raise StopUpload(connection_reset=False) from error


def raise_if_dropped(handlers: Iterable[Any]) -> None:
    """Raise the DiskFullError for which one of a request's upload handlers dropped a file."""
    for handler in handlers:
        if isinstance(handler, TemporaryFileHandler) and handler.error:
            raise handler.error
