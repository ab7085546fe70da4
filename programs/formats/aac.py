"""AAC without a container: ADTS frames, each of which says its own size.

A file that ends after a whole frame looks complete, even if it was longer once.
"""

from typing import IO

from django.conf import settings

from .reading import CutOff, after_id3, ends_well, read_at, size_of

# ISO/IEC 14496-3, 1.6.3.4, by sampling_frequency_index.
HERTZ = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000,
    22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip
HEADER_BYTES = 7
SAMPLES_PER_BLOCK = 1024


def duration(file: IO[bytes]) -> float:
    """Return the length in seconds, counted frame by frame."""
    offset, size, seconds = after_id3(file), size_of(file), 0.0
    while (header := read_at(file, offset, HEADER_BYTES)).startswith(b"\xff"):
        if seconds > settings.AUDIO_MAX_SECONDS:
            return seconds  # too long already, and a hostile file has millions of frames
        frame_bytes, frame_seconds = parse_header(header)
        if offset + frame_bytes > size:
            raise CutOff
        offset += frame_bytes
        seconds += frame_seconds
    if not ends_well(file, offset):
        raise ValueError("something else than ADTS frames")
    return seconds


def parse_header(header: bytes) -> tuple[int, float]:
    """Return a frame's size in bytes and length in seconds (ISO/IEC 13818-7, 6.2)."""
    if len(header) < HEADER_BYTES:
        raise CutOff
    bits = int.from_bytes(header)
    hertz_index, frame_bytes, blocks = bits >> 34 & 15, bits >> 13 & 0x1FFF, (bits & 3) + 1
    if bits >> 40 & 0xFFF6 != 0xFFF0 or hertz_index >= len(HERTZ) or frame_bytes < HEADER_BYTES:
        raise ValueError("no ADTS frame")
    return frame_bytes, blocks * SAMPLES_PER_BLOCK / HERTZ[hertz_index]
