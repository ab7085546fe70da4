"""The templates: short lines, and no name of a file that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders

STATIC = re.compile(r"{% static '(.+?)' %}")


def templates() -> Iterator[Path]:
    """Yield each template of the project."""
    yield from (settings.BASE_DIR / "templates").rglob("*.html")


def test_each_static_file_that_a_template_names_is_there() -> None:
    named = {name for path in templates() for name in STATIC.findall(path.read_text())}

    assert "notifications/desk.css" in named
    assert not [name for name in named if finders.find(name) is None]
