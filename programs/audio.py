"""Decides whether an upload is a recording, by its content alone: names and types may lie.

MP3, AAC (raw, or in MP4), Ogg (Opus, Vorbis), WAV and FLAC are accepted. The modules of
`programs.formats` say how each format shows that a file was cut off, and when it cannot.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import IO, Any, cast

import filetype
from django.conf import settings
from django.core.files import File
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from .formats import aac, flac, mp3, mp4, ogg, wav
from .formats.reading import InvalidAudio, after_id3, read_at

__all__ = ["Audio", "AudioTooLarge", "InvalidAudio", "read_audio", "too_large"]

HEAD_BYTES = 4096  # more than `filetype` looks at


class AudioTooLarge(InvalidAudio):
    """The file has more bytes than AUDIO_MAX_BYTES."""


@dataclass(frozen=True)
class Format:
    """A kind of recording: its name for people, its extension and type, and who reads it."""

    name: str
    extension: str
    content_type: str
    reader: ModuleType


MP3 = Format("MP3", "mp3", "audio/mpeg", mp3)
AAC = Format("AAC", "aac", "audio/aac", aac)
MP4 = Format("MP4", "m4a", "audio/mp4", mp4)
OGG = Format("Ogg", "ogg", "audio/ogg", ogg)
WAV = Format("WAV", "wav", "audio/wav", wav)
FLAC = Format("FLAC", "flac", "audio/flac", flac)


# By the MIME type that `filetype` returns, which is a video's for the recordings of some phones.
FORMATS = {
    "audio/mpeg": MP3,
    "audio/aac": AAC,
    "audio/mp4": MP4,
    "video/mp4": MP4,
    "video/x-m4v": MP4,
    "video/3gpp": MP4,
    "audio/ogg": OGG,
    "audio/x-wav": WAV,
    "audio/x-flac": FLAC,
}
# By extension: what a browser is told.
CONTENT_TYPES = {each.extension: each.content_type for each in FORMATS.values()}


@dataclass(frozen=True)
class Audio:
    """An accepted recording: its format, its extension, and its duration in seconds."""

    format: str
    extension: str
    duration: float


def read_audio(file: "File[Any]") -> Audio:
    """Return the recording's format and length; raise InvalidAudio for any other file."""
    check_size(file.size)
    content = cast(IO[bytes], file.file)
    found = detect(content)
    duration = read_duration(found, content)
    file.seek(0)
    check_duration(duration)
    return Audio(found.name, found.extension, duration)


def too_large() -> AudioTooLarge:
    """Return the error of a file with too many bytes."""
    limit = filesizeformat(settings.AUDIO_MAX_BYTES)
    return AudioTooLarge(_("The file is too large: at most %(limit)s.") % {"limit": limit})


def check_size(size: int) -> None:
    """Raise InvalidAudio when there are no bytes, AudioTooLarge when there are too many."""
    if size == 0:
        raise InvalidAudio(_("The file is empty."))
    if size > settings.AUDIO_MAX_BYTES:
        raise too_large()


def detect(file: IO[bytes]) -> Format:
    """Return the format that the bytes after any ID3 tag show; raise InvalidAudio for none."""
    tag_bytes = after_id3(file)
    head = read_at(file, tag_bytes, HEAD_BYTES)
    mime = filetype.guess_mime(head)
    found = FORMATS.get(mime) or guess(head)
    if found or (tag_bytes and mime is None):
        return found or MP3  # some taggers leave a gap behind the tag
    raise InvalidAudio(
        _("The file is no recording (it is %(kind)s). Send MP3, M4A, AAC, Ogg, WAV or FLAC.")
        % {"kind": mime or _("of an unknown kind")}
    )


def guess(head: bytes) -> Format | None:
    """Return the format of two kinds that `filetype` does not know, None for all others.

    They are MP4 of rarer brands (`dash`, `iso5`), and the MP3 frames of MPEG 2.5, which begin with
    FF E3, or with a checksum, which begin with FF FA.
    """
    if head[4:8] == b"ftyp":
        return MP4
    if mp3.parse_header(head[:4]):
        return MP3
    return None


def read_duration(found: Format, file: IO[bytes]) -> float:
    """Return the length in seconds; raise InvalidAudio for any error of the parser."""
    try:
        return float(found.reader.duration(file))
    except InvalidAudio:
        raise
    except Exception as error:  # a hostile file makes a parser raise anything
        raise InvalidAudio(
            _("The file begins like %(format)s but cannot be read; it may be damaged.")
            % {"format": found.name}
        ) from error


def check_duration(seconds: float) -> None:
    """Raise InvalidAudio when the recording has no length, or is longer than allowed."""
    if not math.isfinite(seconds) or seconds <= 0:
        raise InvalidAudio(_("The recording has no sound: its length is zero."))
    if seconds > settings.AUDIO_MAX_SECONDS:
        raise InvalidAudio(
            _("The recording is too long: %(length)s, at most %(limit)s (hours:minutes:seconds).")
            % {
                "length": timedelta(seconds=round(seconds)),
                "limit": timedelta(seconds=settings.AUDIO_MAX_SECONDS),
            }
        )
