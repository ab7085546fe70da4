"""WAV: RIFF chunks; `fmt ` describes the sound, `data` holds the sound."""

import struct
from collections.abc import Iterator
from typing import IO

from .reading import CutOff, Guarded, read_at, size_of

# Samples as they are: PCM, floats, A-law, µ-law, and "extensible", which is one of these.
ENCODINGS = (0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE)


def duration(file: IO[bytes]) -> float:
    """Return the length in seconds."""
    guarded = Guarded(file)
    frame_bytes, hertz = 0, 0
    for name, offset, size in chunks(guarded):
        if name == b"fmt ":
            fields = struct.unpack("<HHIIH", read_at(guarded, offset, 14))
            encoding, _channels, hertz, _bytes_per_second, frame_bytes = fields
            if encoding not in ENCODINGS:
                raise ValueError(f"encoding {encoding:#06x}")
        if name == b"data":
            return size / (frame_bytes * hertz)
    raise CutOff


def chunks(file: Guarded) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and size of each chunk; raise CutOff at one that is not all there."""
    end, offset = size_of(file), 12
    while len(header := read_at(file, offset, 8)) == 8:
        name, size = struct.unpack("<4sI", header)
        offset += 8
        if offset + size > end:
            raise CutOff
        yield name, offset, size
        offset += size + size % 2  # chunks begin at even offsets
