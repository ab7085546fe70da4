"""FLAC: frames that are numbered and end with a checksum of themselves.

A file is complete when it ends with a whole frame that holds the last promised sample.
Sections are those of https://www.rfc-editor.org/rfc/rfc9639.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import IO

from mutagen.flac import FLAC, StreamInfo

from .reading import CutOff, parse, read_at, size_of

SYNC = re.compile(rb"\xff[\xf8\xf9]")  # 9.1: blocks of fixed and of variable size
MAX_HEADER_BYTES = 16
ID3V1_BYTES = 128
# Bytes look like a header by chance once in 8 MB. A hostile file full of headers must not have its
# checksum computed a million times.
MAX_CANDIDATES = 8
# Two bytes look like a sync code by chance once in 32 KB, some 64 times in the longest frame.
MAX_SYNCS = 10_000


def duration(file: IO[bytes]) -> float:
    """Return the length in seconds, from the last frame: a streamed file promises no length."""
    info = parse(FLAC, file)
    samples = last_sample(file, info)
    if samples < info.total_samples:
        raise CutOff
    return samples / float(info.sample_rate)


def last_sample(file: IO[bytes], info: StreamInfo) -> int:
    """Return how many samples there are up to the end of the file; raise CutOff at half a frame."""
    end = size_of(file)
    if read_at(file, max(0, end - ID3V1_BYTES), 3) == b"TAG":
        end -= ID3V1_BYTES
    # 9.2: a frame is never longer than its raw samples; the side channel has one bit more.
    bits = info.max_blocksize * info.channels * (info.bits_per_sample + 1)
    longest = min(end, bits // 8 + 64)
    tail = read_at(file, end - longest, longest)
    for start in islice(headers(tail), MAX_CANDIDATES):
        if crc(tail[start:], polynomial=0x8005, width=16) == 0:  # 9.3, with the sum itself
            return samples_until(tail[start:], info)
    raise CutOff


def headers(tail: bytes) -> Iterator[int]:
    """Yield where frames begin, the last one first: a sync code and a header of the right CRC."""
    syncs = [match.start() for match in SYNC.finditer(tail)]
    for sync in reversed(syncs[-MAX_SYNCS:]):
        header = tail[sync : sync + MAX_HEADER_BYTES]
        if len(header) > 5 and has_right_crc(header):
            yield sync


def has_right_crc(header: bytes) -> bool:
    """Return whether the CRC-8 at the end of the header is right (9.1.8)."""
    end = 4 + number_bytes(header) + size_bytes(header) + rate_bytes(header)
    return crc(header[: end + 1], polynomial=0x07, width=8) == 0


def number_bytes(header: bytes) -> int:
    """Return how many bytes code the frame's number, as UTF-8 does (9.1.5)."""
    return max(1, 8 - (header[4] ^ 0xFF).bit_length())


def size_bytes(header: bytes) -> int:
    """Return how many bytes an uncommon number of samples takes (9.1.6)."""
    return {6: 1, 7: 2}.get(header[2] >> 4, 0)


def rate_bytes(header: bytes) -> int:
    """Return how many bytes an uncommon sample rate takes (9.1.7)."""
    return {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)


def samples_until(frame: bytes, info: StreamInfo) -> int:
    """Return how many samples there are up to the end of the frame."""
    length = number_bytes(frame)
    number = frame[4] & (0xFF >> length if length > 1 else 0x7F)
    for byte in frame[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    counts_samples = frame[1] == 0xF9
    before = number if counts_samples else number * int(info.max_blocksize)
    return before + block_samples(frame, at=4 + length)


def block_samples(frame: bytes, at: int) -> int:
    """Return the samples in the frame, a table or the bytes at `at` (9.1.1)."""
    code = frame[2] >> 4
    if code in (6, 7):
        return int.from_bytes(frame[at : at + size_bytes(frame)]) + 1
    if code == 1:
        return 192
    return 576 << (code - 2) if code < 6 else 256 << (code - 8)


def crc(content: bytes, *, polynomial: int, width: int) -> int:
    """Return the cyclic redundancy check, highest bit first, starting with 0."""
    table, mask = crc_table(polynomial, width), (1 << width) - 1
    remainder = 0
    for byte in content:
        remainder = (remainder << 8 & mask) ^ table[remainder >> (width - 8) ^ byte]
    return remainder


@cache
def crc_table(polynomial: int, width: int) -> list[int]:
    """Return the remainder that each byte leaves."""
    table = []
    for byte in range(256):
        remainder = byte << (width - 8)
        for _bit in range(8):
            carried = remainder >> (width - 1)
            remainder = (remainder << 1 ^ polynomial * carried) & ((1 << width) - 1)
        table.append(remainder)
    return table
