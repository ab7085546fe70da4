"""A recording is judged by its content, and its uploader is told what is wrong with it."""

import io
import random
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from mutagen.ogg import OggPage
from pytest_django import Settings

from programs.audio import Audio, AudioTooLarge, InvalidAudio, read_audio
from programs.formats import flac
from programs.tests.recordings import recording, wav

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(64)
ID3_BEFORE = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)
ID3V1 = b"TAG" + bytes(125)

# The seconds are those of ffprobe, which leaves out the silence in an encoder's last frame.
SPEECH = {
    "speech.mp3": ("mp3", 1.056),
    "without-xing.mp3": ("mp3", 1.056),
    "mpeg-2.5.mp3": ("mp3", 1.149),
    "speech.aac": ("aac", 1.067),
    "speech.m4a": ("m4a", 1.043),
    "video.mp4": ("m4a", 1.046),
    "opus.ogg": ("ogg", 1.0),
    "vorbis.ogg": ("ogg", 1.0),
    "speech.flac": ("flac", 1.0),
    "streamed.flac": ("flac", 1.0),
}

# A file that does not say how long it is does not show a cut exactly between two frames
# (programs/formats says so for each format).
SHOWS_EVERY_CUT = ["speech.mp3", "speech.m4a", "opus.ogg", "vorbis.ogg", "speech.flac"]
SHOWS_CUT_FRAMES = ["without-xing.mp3", "mpeg-2.5.mp3", "speech.aac", "streamed.flac"]


def read(content: bytes, name: str = "upload") -> Audio:
    return read_audio(ContentFile(content, name=name))


def complaint(content: bytes) -> str:
    """Return the message with which the content is refused."""
    with pytest.raises(InvalidAudio) as refusal:
        read(content)
    return str(refusal.value)


@pytest.mark.parametrize("name", SPEECH)
def test_a_real_recording_is_known_with_its_length(name: str) -> None:
    extension, seconds = SPEECH[name]

    audio = read(recording(name))

    assert audio.extension == extension
    assert audio.duration == pytest.approx(seconds, abs=0.001)


def test_a_wav_is_known_with_its_length() -> None:
    assert read(wav(2.5)) == Audio("WAV", "wav", 2.5)


def test_a_wav_named_mp3_is_the_wav_it_is() -> None:
    assert read(wav(), name="talk.mp3").extension == "wav"


def test_the_file_is_rewound_for_who_stores_it() -> None:
    file = ContentFile(wav())

    read_audio(file)

    assert file.tell() == 0


@pytest.mark.parametrize("name", ["speech.mp3", "speech.aac", "speech.flac"])
def test_tags_around_the_sound_do_not_matter(name: str) -> None:
    plain = recording(name)

    tagged = ID3_BEFORE + plain + ID3V1

    assert read(tagged) == read(plain)


def test_a_gap_behind_the_tag_does_not_matter() -> None:
    gap = bytes(300)

    assert read(ID3_BEFORE + gap + recording("without-xing.mp3")).format == "MP3"


def test_joined_mp3s_are_accepted() -> None:
    part = recording("without-xing.mp3")

    joined = part + ID3_BEFORE + part

    assert read(joined).duration > 1


def test_an_mp4_of_an_unknown_brand_is_known() -> None:
    dash = recording("speech.m4a").replace(b"ftypM4A ", b"ftypdash")

    assert read(dash).format == "MP4"


def test_an_empty_file_is_refused() -> None:
    assert complaint(b"") == "The file is empty."


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"Dear listeners,\n" * 50, "of an unknown kind"),
        (b"\x00", "of an unknown kind"),
        (ID3_BEFORE + PNG, "image/png"),
        (b"%PDF-1.7\n" + bytes(100), "application/pdf"),
    ],
    ids=["png", "text", "a byte", "png behind a tag", "pdf"],
)
def test_what_is_no_audio_is_called_what_it_is(content: bytes, kind: str) -> None:
    assert f"no recording (it is {kind})" in complaint(content)


def test_a_video_without_sound_is_refused() -> None:
    assert complaint(recording("silent-video.mp4")) == "The file is a video without sound."


def test_an_mp4_in_fragments_is_refused_with_advice() -> None:
    assert "Save it as M4A" in complaint(recording("fragmented.m4a"))


def test_an_ogg_of_another_codec_is_refused() -> None:
    speex = recording("opus.ogg").replace(b"OpusHead", b"Speex   ")

    assert complaint(speex) == "The Ogg file holds neither Opus nor Vorbis."


def test_a_compressed_wav_is_refused() -> None:
    adpcm = wav().replace(b"fmt \x10\x00\x00\x00\x01", b"fmt \x10\x00\x00\x00\x02")

    assert "begins like WAV but cannot be read" in complaint(adpcm)


def test_a_wav_of_no_length_is_refused() -> None:
    assert "its length is zero" in complaint(wav(0))


def test_a_file_over_the_limit_is_too_large(settings: Settings) -> None:
    settings.AUDIO_MAX_BYTES = 1000

    with pytest.raises(AudioTooLarge, match=r"at most 1000.bytes"):
        read(wav(1))


def test_a_recording_over_the_limit_is_too_long(settings: Settings) -> None:
    settings.AUDIO_MAX_SECONDS = 60

    assert "0:01:01, at most 0:01:00" in complaint(wav(61))


def test_a_recording_of_exactly_the_limit_is_accepted(settings: Settings) -> None:
    settings.AUDIO_MAX_SECONDS = 60

    assert read(wav(60)).duration == 60


@pytest.mark.parametrize("name", SHOWS_EVERY_CUT)
def test_every_cut_is_found_where_the_format_promises_an_end(name: str) -> None:
    whole = recording(name)

    cuts = [len(whole) - 1, *range(1, len(whole), 97)]

    assert [cut for cut in cuts if is_accepted(whole[:cut])] == []


def test_every_cut_of_a_wav_is_found() -> None:
    whole = wav()

    assert [cut for cut in range(len(whole)) if is_accepted(whole[:cut])] == []


@pytest.mark.parametrize("name", SHOWS_CUT_FRAMES)
def test_a_cut_frame_is_found_where_only_frames_have_sizes(name: str) -> None:
    whole = recording(name)

    assert "cut off" in complaint(whole[:-1])
    assert "cut off" in complaint(whole[:-50])


def test_a_flac_without_its_last_frame_is_cut_off() -> None:
    whole = recording("speech.flac")
    last_frame = next(flac.headers(whole))

    assert "cut off" in complaint(whole[:last_frame])


def test_a_wav_that_promises_more_than_there_is_is_cut_off() -> None:
    whole = bytearray(wav())
    struct.pack_into("<I", whole, 40, 0xFFFF_FFFF)  # the size of its data

    assert "cut off" in complaint(bytes(whole))


def test_an_mp4_without_its_description_is_cut_off() -> None:
    whole = recording("speech.m4a")

    assert "cut off" in complaint(whole[: whole.index(b"moov") - 4])


def is_accepted(content: bytes) -> bool:
    try:
        read(content)
    except InvalidAudio:
        return False
    return True


def nested_boxes(depth: int) -> bytes:
    """Return an MP4 with a box in a box in a box."""
    boxes = b""
    for _ in range(depth):
        boxes = struct.pack(">I4s", len(boxes) + 8, b"moov") + boxes
    return recording("speech.m4a")[:28] + boxes + struct.pack(">I4s", 8, b"mdat")


@pytest.mark.parametrize(
    "content",
    [
        nested_boxes(5_000),
        recording("speech.m4a")[:28] + struct.pack(">I4s", 7, b"moov"),
        recording("speech.m4a")[:28] + b"\x00\x00\x00\x08free" * 200_000,
        b"fLaC" + b"\xff" * 5_000,
        b"fLaC" + bytes(5_000),
        b"OggS" + b"\x00" * 24 + b"OpusHead" + b"\xff" * 5_000,
        b"RIFF\xff\xff\xff\xffWAVE" + b"\xff" * 5_000,
        b"RIFF\x00\x00\x00\x00WAVE" + bytes(5_000_000),
        b"\xff\xfb" + b"\xff" * 5_000,
        b"\xff\xf1" + b"\xff" * 5_000,
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"\xff" * 5_000,
    ],
    ids=[
        "nested boxes",
        "box of 7 bytes",
        "many boxes",
        "flac of ones",
        "flac of zeros",
        "ogg",
        "wav",
        "many chunks",
        "mp3",
        "aac",
        "endless tag",
    ],
)
@pytest.mark.timeout(30)
def test_a_hostile_file_gets_a_clear_refusal(content: bytes) -> None:
    assert complaint(content)


SMALLEST_COMMENT = b"\x02\0\0\0a="


def id3_of_tiny_frames() -> bytes:
    """Return an MP3 with an ID3 tag of 1 MB, each of whose frames has one character."""
    frames = (b"ABCD" + struct.pack(">I", 1) + b"\0\0x") * 100_000
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames + recording("without-xing.mp3")


def ogg_of_tiny_comments() -> bytes:
    """Return an Ogg Vorbis with three million comments of two characters."""
    comments = b"\x03vorbis" + struct.pack("<II", 0, 3_000_000) + SMALLEST_COMMENT * 3_000_000
    identity = b"\x01vorbis" + struct.pack("<IBIIIIBB", 0, 1, 44_100, 0, 128_000, 0, 0xB8, 1)
    paged: Any = OggPage.from_packets
    first = paged([identity])
    pages = paged([comments + b"\x01"], sequence=1, default_size=65_025)
    last = paged([b"sound"], sequence=len(pages) + 1)
    first[0].first, last[0].last, last[0].position = True, True, 44_100
    return b"".join(page.write() for page in [*first, *pages, *last])


def flac_of_sync_codes() -> bytes:
    """Return a FLAC whose longest frame has 2 MB, all of which are sync codes."""
    sound = 44_100 << 44 | 7 << 41 | 31 << 36  # hertz, channels and bits, each less one
    info = b"\xff" * 4 + bytes(6) + sound.to_bytes(8) + bytes(16)
    return b"fLaC\x80" + len(info).to_bytes(3) + info + b"\xff\xf8" * 1_050_000


@pytest.mark.parametrize("make", [id3_of_tiny_frames, ogg_of_tiny_comments, flac_of_sync_codes])
def test_a_small_hostile_file_does_not_keep_a_processor(make: Callable[[], bytes]) -> None:
    """5 MB of ID3 frames took 100 s: sixteen such uploads stop a web of sixteen threads."""
    content = make()

    assert calls_of(lambda: is_accepted(content)) < 75_000  # it was over 100,000 for each


def calls_of(act: Callable[[], object]) -> int:
    """Return how many functions of Python's were called meanwhile: the same on every machine."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


class CountedReads(io.BytesIO):
    """A file that knows how often it was read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


@pytest.mark.parametrize(
    ("content", "most_reads"),
    [
        (recording("speech.m4a")[:28] + b"\x00\x00\x00\x08free" * 200_000, 101_000),
        (recording("speech.aac")[:3] + b"\x40\x00\xff\xfc\xff\xf1\x58" * 200_000, 1_000),
        ((recording("without-xing.mp3")[:4] + bytes(92)) * 20_000, 1_000),
    ],
    ids=["boxes", "adts frames", "mp3 frames"],
)
def test_a_file_of_endless_small_pieces_is_soon_given_up(
    settings: Settings, content: bytes, most_reads: int
) -> None:
    settings.AUDIO_MAX_SECONDS = 10
    file = CountedReads(content)

    with pytest.raises(InvalidAudio):
        read_audio(File(file))

    assert file.reads < most_reads


@pytest.mark.parametrize("name", SPEECH)
def test_damage_anywhere_is_accepted_or_refused_but_never_crashes(name: str) -> None:
    whole, dice = recording(name), random.Random(2019)

    for _ in range(30):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[dice.randrange(min(len(whole), 2_000))] = dice.randrange(256)
        is_accepted(bytes(damaged))
