"""Ogg: pages with Opus or Vorbis; the last page is marked as the end of the stream.

Of several recordings joined in one file, the first one's length is returned.
"""

from typing import IO, Any

from django.utils.translation import gettext as _
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from .reading import CutOff, InvalidAudio, parse, read_at, size_of


def no_tags(_file: object, _info: object) -> None:
    """Read none: a packet may hold millions of comments, and each becomes objects in memory."""


class Opus(OggOpus):
    """mutagen's Ogg Opus without its tags."""

    _Tags: Any = staticmethod(no_tags)


class Vorbis(OggVorbis):
    """mutagen's Ogg Vorbis without its tags."""

    _Tags: Any = staticmethod(no_tags)


CODECS = {b"OpusHead": Opus, b"\x01vorbis": Vorbis}
# RFC 3533, 6: a header, up to 255 sizes of segments, and as many segments of up to 255 bytes.
PAGE_HEADER_BYTES = 27
MAX_PAGE_BYTES = PAGE_HEADER_BYTES + 255 + 255 * 255
END_OF_STREAM = 4


def duration(file: IO[bytes]) -> float:
    """Return the length in seconds."""
    first_page = read_at(file, 0, 64)
    parser = next((CODECS[name] for name in CODECS if name in first_page), None)
    if parser is None:
        raise InvalidAudio(_("The Ogg file holds neither Opus nor Vorbis."))
    if not has_last_page(file):
        raise CutOff
    return float(parse(parser, file).length)


def has_last_page(file: IO[bytes]) -> bool:
    """Return whether the file ends with a whole page that ends the stream."""
    tail = read_at(file, max(0, size_of(file) - MAX_PAGE_BYTES), MAX_PAGE_BYTES)
    at = tail.rfind(b"OggS")
    while at >= 0:
        page = tail[at:]
        if len(page) > PAGE_HEADER_BYTES and page_bytes(page) == len(page):
            return bool(page[5] & END_OF_STREAM)
        at = tail.rfind(b"OggS", 0, at)  # what looked like a page was sound
    return False


def page_bytes(page: bytes) -> int:
    """Return how long the page should be."""
    segments = page[26]
    return (
        PAGE_HEADER_BYTES + segments + sum(page[PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + segments])
    )
