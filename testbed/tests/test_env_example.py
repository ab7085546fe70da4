"""The promise: .env.example names each setting that Radiotalk reads, and no other."""

import re
from pathlib import Path

from radiotalk.tests.test_settings import READ

ROOT = Path(__file__).parents[2]


def test_every_setting_is_in_the_example() -> None:
    settings = (ROOT / "radiotalk" / "settings.py").read_text()
    example = (ROOT / ".env.example").read_text()

    read = set(re.findall(READ, settings))
    named = set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", example, flags=re.MULTILINE))

    assert read
    assert named == read
