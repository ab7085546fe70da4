"""The templates: short lines, and no name of a file that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders

LONGEST = 120
STATIC = re.compile(r"{% static '(.+?)' %}")


def templates() -> Iterator[Path]:
    """Yield each template of the project."""
    yield from (settings.BASE_DIR / "templates").rglob("*.html")


def test_each_static_file_that_a_template_names_is_there() -> None:
    named = {name for path in templates() for name in STATIC.findall(path.read_text())}

    assert "notifications/desk.css" in named
    assert not [name for name in named if finders.find(name) is None]


def test_no_line_is_too_long_to_be_read() -> None:
    long = [
        f"{path.relative_to(settings.BASE_DIR)}:{number}"
        for path in templates()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > LONGEST
    ]

    assert not long
