"""MP3: frame after frame, each of which says its own size.

Most encoders write a Xing or Info frame, which promises a number of bytes. Without this frame, a
file that was cut between two frames looks complete.
"""

import struct
from typing import IO

from django.conf import settings
from mutagen.mp3 import MPEGInfo

from .reading import CutOff, Guarded, ends_well, read_at, size_of

# By the bits of a frame's header: http://www.mpgedit.org/mpgedit/mpeg_format/mpeghdr.htm
KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
SAMPLES = {True: 1152, False: 576}
HERTZ = {
    3: (44_100, 48_000, 32_000),  # MPEG 1
    2: (22_050, 24_000, 16_000),  # MPEG 2
    0: (11_025, 12_000, 8_000),  # MPEG 2.5
}
HEADER_BYTES = 4
XING_HAS_FRAMES, XING_HAS_BYTES = 1, 2


def duration(file: IO[bytes]) -> float:
    """Return the length in seconds, counted frame by frame.

    Where something else lies between the frames, mutagen's estimate is returned if it is longer.
    """
    # mutagen's MP3 would read the tags as well: 5 MB of tiny ID3 frames took 100 s (measured).
    info = MPEGInfo(Guarded(file))
    if info.sketchy or info.layer != 3:
        raise ValueError("no MP3 frames")
    start, size = info.frame_offset, size_of(file)
    promised = promised_bytes(file, start)
    if start + promised > size:
        raise CutOff
    counted, end = walk(file, start, size)
    if promised:  # that frame holds no sound
        counted -= SAMPLES[info.version == 1] / int(info.sample_rate)
    return counted if ends_well(file, end) else max(counted, float(info.length))


def walk(file: IO[bytes], offset: int, size: int) -> tuple[float, int]:
    """Return the seconds in the frames from `offset` on, and where the last one ends."""
    seconds = 0.0
    while frame := parse_header(read_at(file, offset, HEADER_BYTES)):
        if seconds > settings.AUDIO_MAX_SECONDS:
            break  # too long already, and a hostile file has millions of frames
        frame_bytes, frame_seconds = frame
        offset += frame_bytes
        seconds += frame_seconds
        if offset > size:
            raise CutOff
    if size - offset < HEADER_BYTES and read_at(file, offset, 1) == b"\xff":
        raise CutOff
    return seconds, offset


def parse_header(header: bytes) -> tuple[int, float] | None:
    """Return a frame's size in bytes and length in seconds, None when it is no Layer III frame."""
    bits = int.from_bytes(header)
    if len(header) < HEADER_BYTES or bits >> 21 != 0x7FF:
        return None
    version, layer = bits >> 19 & 3, bits >> 17 & 3
    bitrate_index, rate_index, padding = bits >> 12 & 15, bits >> 10 & 3, bits >> 9 & 1
    if layer != 1 or version == 1 or bitrate_index in (0, 15) or rate_index == 3:
        return None
    is_mpeg1 = version == 3
    samples = SAMPLES[is_mpeg1]
    hertz = HERTZ[version][rate_index]
    bits_per_second = KBITS[is_mpeg1][bitrate_index] * 1000
    return samples // 8 * bits_per_second // hertz + padding, samples / hertz


def promised_bytes(file: IO[bytes], offset: int) -> int:
    """Return how many bytes the Xing or Info frame at `offset` promises, 0 without one."""
    frame = read_at(file, offset, 64)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or len(frame) < at + 16:
        return 0
    flags, first, second = struct.unpack_from(">III", frame, at + 4)
    if not flags & XING_HAS_BYTES:
        return 0
    promised: int = second if flags & XING_HAS_FRAMES else first
    return promised
