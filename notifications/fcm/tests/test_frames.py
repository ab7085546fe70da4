"""Frames are as RFC 9113 writes them: hyperframe, which others wrote, reads and writes the same."""

import pytest
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from notifications.fcm import frames
from notifications.fcm.frames import ConnectionViolation, ErrorCode, Reader

PING = PingFrame(0, b"12345678").serialize()
DATA = DataFrame(7, b"{}", flags=["END_STREAM"]).serialize()
TOO_LONG = (frames.LEAST_MAX_FRAME_SIZE + 1).to_bytes(3, "big") + bytes(6)


def test_frames_are_read_as_hyperframe_writes_them() -> None:
    read = list(Reader().read(PING + DATA))

    assert read == [
        (frames.PING, 0, 0, b"12345678"),
        (frames.DATA, frames.END_STREAM, 7, b"{}"),
    ]


def test_frames_are_read_whatever_pieces_they_come_in() -> None:
    both = PING + DATA
    for first in range(len(both) + 1):
        for second in range(first, len(both) + 1):
            reader = Reader()
            pieces = both[:first], both[first:second], both[second:]

            read = [frame for piece in pieces for frame in reader.read(piece)]

            assert [kind for kind, *_ in read] == [frames.PING, frames.DATA]
            assert read[1][3] == b"{}"


def test_nothing_is_read_before_a_frame_is_complete() -> None:
    reader = Reader()

    assert list(reader.read(DATA[:-1])) == []
    assert len(list(reader.read(DATA[-1:]))) == 1


def test_the_reserved_bit_of_a_stream_id_is_ignored() -> None:
    reserved = DATA[:5] + bytes([DATA[5] | 0x80]) + DATA[6:]

    ((_kind, _flags, stream_id, _payload),) = Reader().read(reserved)

    assert stream_id == 7


def test_the_longest_frame_that_we_take_is_read() -> None:
    payload = bytes(frames.LEAST_MAX_FRAME_SIZE)

    ((_kind, _flags, _stream_id, read),) = Reader().read(DataFrame(1, payload).serialize())

    assert read == payload


def test_a_longer_frame_is_refused_by_its_head_alone() -> None:
    with pytest.raises(ConnectionViolation) as refused:
        list(Reader().read(TOO_LONG))

    assert refused.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_frames_before_one_that_is_too_long_are_read() -> None:
    reading = Reader().read(PING + TOO_LONG)

    assert next(reading)[0] == frames.PING
    with pytest.raises(ConnectionViolation):
        next(reading)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            frames.settings([(frames.ENABLE_PUSH, 0), (frames.INITIAL_WINDOW_SIZE, 70_000)]),
            SettingsFrame(0, settings={2: 0, 4: 70_000}),
        ),
        (frames.settings([]), SettingsFrame(0)),
        (frames.frame(frames.SETTINGS, frames.ACK, 0), SettingsFrame(0, flags=["ACK"])),
        (frames.window_update(9, 2**31 - 1), WindowUpdateFrame(9, 2**31 - 1)),
        (frames.rst_stream(9, ErrorCode.CANCEL), RstStreamFrame(9, 8)),
        (frames.goaway(ErrorCode.ENHANCE_YOUR_CALM), GoAwayFrame(0, 0, 0xB)),
        (
            frames.frame(frames.PING, frames.ACK, 0, b"12345678"),
            PingFrame(0, b"12345678", flags=["ACK"]),
        ),
        (frames.frame(frames.DATA, 0, 2**31 - 1, b"x"), DataFrame(2**31 - 1, b"x")),
    ],
)
def test_a_frame_is_written_as_hyperframe_writes_it(ours: bytes, theirs: Frame) -> None:
    assert ours == theirs.serialize()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, 2**24 - 1])
def test_a_head_says_the_length_in_24_bits(size: int) -> None:
    head = frames.head(size, frames.DATA, frames.END_STREAM)

    assert head == size.to_bytes(3, "big") + b"\x00\x01"


@pytest.mark.parametrize("padding", [0, 1, 255])
def test_padding_is_taken_away(padding: int) -> None:
    padded = DataFrame(1, b"{}", pad_length=padding, flags=["PADDED"])

    assert frames.without_padding(frames.PADDED, padded.serialize_body()) == b"{}"


def test_what_is_not_padded_stays_as_it_is() -> None:
    assert frames.without_padding(0, b"\x05{}") == b"\x05{}"


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x03{}", b"\xff{}"])
def test_more_padding_than_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ConnectionViolation) as refused:
        frames.without_padding(frames.PADDED, payload)

    assert refused.value.code == ErrorCode.PROTOCOL_ERROR


def test_nothing_but_padding_is_an_empty_payload() -> None:
    assert frames.without_padding(frames.PADDED, b"\x02\x00\x00") == b""


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_payload_of_another_size_than_needed_is_refused(size: int) -> None:
    with pytest.raises(ConnectionViolation) as refused:
        frames.of_size(bytes(size), 8)

    assert refused.value.code == ErrorCode.FRAME_SIZE_ERROR
