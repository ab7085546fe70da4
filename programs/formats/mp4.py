"""MP4 (m4a): boxes; `moov` describes the sound, `mdat` holds the sound.

A video is accepted for its sound. A box of size 0 reaches to the end of the file, so a file that
was cut inside such a box looks complete.
"""

from collections.abc import Iterator
from typing import IO

from django.utils.translation import gettext as _
from mutagen.mp4 import MP4

from .reading import CutOff, Guarded, InvalidAudio, parse, read_at, size_of


def duration(file: IO[bytes]) -> float:
    """Return the length in seconds of the first track of sound."""
    names = set(boxes(Guarded(file)))
    if b"moof" in names:
        raise InvalidAudio(
            _("The recording is an MP4 in fragments, whose length is not told. Save it as M4A.")
        )
    if not names >= {b"moov", b"mdat"}:
        raise CutOff
    info = parse(MP4, file)
    # Without a track of sound mutagen tells the length of the film, but knows no codec.
    if not info.codec:
        raise InvalidAudio(_("The file is a video without sound."))
    return float(info.length)


def boxes(file: Guarded) -> Iterator[bytes]:
    """Yield the name of each outer box; raise CutOff at one that is not all there.

    ISO/IEC 14496-12, 4.2: size 1 is followed by a size of 64 bits, 0 means all the rest.
    """
    end, offset = size_of(file), 0
    while header := read_at(file, offset, 16):
        size = int.from_bytes(header[:4])
        if size == 1:
            size = int.from_bytes(header[8:])
        size = size or end - offset
        if len(header) < 8 or offset + size > end:
            raise CutOff
        if size < 8:
            raise ValueError("a box smaller than its header")
        yield header[4:8]
        offset += size
