"""What the formats share: errors, a file with bounds on reading, and tags around the sound."""

import os
from typing import IO, Any

from django.utils.translation import gettext as _

# A parser needs a few hundred reads, and more bytes only for pictures in tags. The bounds stop
# files built to exhaust the memory: 200 MB of empty boxes are 25 million objects in mutagen.
MAX_READS = 100_000
MAX_BYTES_READ = 64 * 1024 * 1024

ID3_HEADER_BYTES = 10
# What may follow the sound of an MP3 or AAC file: ID3v1, APEv2, Lyrics3, and another ID3v2.
TRAILING_TAGS = (b"TAG", b"APE", b"LYR", b"ID3")


class InvalidAudio(Exception):
    """The file is no recording that can be accepted; the message says why, to its uploader."""


class CutOff(InvalidAudio):
    """The file ends before its recording does."""

    def __init__(self) -> None:
        super().__init__(
            _("The recording is cut off: the file ends before its sound does. Upload it again.")
        )


class Excessive(Exception):
    """A parser wanted more of the file than any real recording needs."""


class Guarded:
    """A file for parsers: it has no name, which mutagen would trust, and bounds on reading."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.reads_left = MAX_READS
        self.bytes_left = MAX_BYTES_READ
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raise Excessive after too many bytes or too many reads."""
        content = self.file.read(min(size, self.bytes_left + 1) if size >= 0 else self.bytes_left)
        self.reads_left -= 1
        self.bytes_left -= len(content)
        if self.reads_left < 0 or self.bytes_left < 0:
            raise Excessive
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the new position, as files do."""
        self.file.seek(offset, whence)
        return self.file.tell()

    def tell(self) -> int:
        """Return the position."""
        return self.file.tell()


def parse(parser: Any, file: IO[bytes]) -> Any:
    """Return what a class of mutagen's knows of the sound in the file."""
    return parser(fileobj=Guarded(file)).info


def read_at(file: IO[bytes] | Guarded, offset: int, size: int) -> bytes:
    """Return `size` bytes from `offset`, fewer where the file ends."""
    file.seek(offset)
    return file.read(size)


def size_of(file: IO[bytes] | Guarded) -> int:
    """Return the size of the file in bytes."""
    file.seek(0, os.SEEK_END)
    return file.tell()


def after_id3(file: IO[bytes] | Guarded) -> int:
    """Return the offset behind the ID3v2 tag at the start of the file, 0 when there is none.

    Its size is four times seven bits: https://id3.org/id3v2.4.0-structure, 3.1.
    """
    header = read_at(file, 0, ID3_HEADER_BYTES)
    if len(header) < ID3_HEADER_BYTES or not header.startswith(b"ID3"):
        return 0
    size = 0
    for byte in header[6:]:
        size = size << 7 | byte & 0x7F
    return ID3_HEADER_BYTES + size


def ends_well(file: IO[bytes], offset: int) -> bool:
    """Return whether at `offset`, where the sound ends, the file ends too or a tag follows."""
    following = read_at(file, offset, 3)
    return following == b"" or following in TRAILING_TAGS
