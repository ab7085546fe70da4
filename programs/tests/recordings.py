"""Recordings for tests: a second of speech in each format (by ffmpeg 5.1), and silent WAVs."""

import io
import wave
from collections.abc import Callable
from pathlib import Path

Files = Callable[[], list[Path]]  # the fixture `files`: lists the files that a test has left
DIRECTORY = Path(__file__).with_name("audio")
WAV_HERTZ = 8_000


def recording(name: str) -> bytes:
    """Return the content of a file in `audio/`."""
    return (DIRECTORY / name).read_bytes()


def wav(seconds: float = 0.1) -> bytes:
    """Return a silent WAV of one byte a sample."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(WAV_HERTZ)
        writer.writeframes(b"\x80" * round(seconds * WAV_HERTZ))
    return file.getvalue()
