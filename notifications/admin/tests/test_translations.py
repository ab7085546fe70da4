"""The Japanese translation is complete, and what is compiled is what is written."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation import override
from django.utils.translation.template import templatize

from .rows import listing, superuser

MESSAGES = Path(settings.LOCALE_PATHS[0]) / "ja" / "LC_MESSAGES"
PACKAGES = ("accounts", "notifications", "programs", "radiotalk", "templates")
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}

ENTRY = re.compile(
    r"^msgid (.+?)\n(?:msgid_plural .+?\n)?msgstr(?:\[0\])? (.+?)(?:\n\n|\Z)", re.M | re.S
)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def written() -> dict[str, str]:
    """Return the translations of the .po file."""
    entries = ENTRY.findall((MESSAGES / "django.po").read_text())
    # The quoted lines of an entry are a string of Python's.
    texts = {ast.literal_eval(f"({key})"): ast.literal_eval(f"({text})") for key, text in entries}
    return {key: text for key, text in texts.items() if key}


def sources(suffix: str) -> Iterator[Path]:
    """Yield the project's own files of a kind, without tests and migrations."""
    for package in PACKAGES:
        for path in (settings.BASE_DIR / package).rglob(f"*{suffix}"):
            if not {"tests", "migrations"} & set(path.parts):
                yield path


def marked_in_python() -> Iterator[str]:
    """Yield each text that Python code marks for translation."""
    for path in sources(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                text = node.args[0] if node.func.id in MARKS and node.args else None
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value


def marked_in_templates() -> Iterator[str]:
    """Yield each text that a template marks, by the calls that Django makes of it for xgettext."""
    for path in sources(".html"):
        code = templatize(path.read_text())
        for text in re.findall(r"\b(?:_|gettext)\(u?('.*?'|\".*?\")\)", code, re.S):
            yield ast.literal_eval(text)


def test_every_marked_text_is_translated_and_no_other() -> None:
    marked = {*marked_in_python(), *marked_in_templates()}

    assert len(marked) > 100, "the marks are not found"
    assert set(written()) == marked, "the head of django.po says how to bring it up to date"


def test_no_translation_is_missing_or_doubtful() -> None:
    assert [key for key, text in written().items() if not text] == []
    assert not re.search(r"^#,.*\bfuzzy", (MESSAGES / "django.po").read_text(), re.M)


def test_what_is_filled_in_is_kept() -> None:
    for key, text in written().items():
        assert set(PLACEHOLDER.findall(key)) == set(PLACEHOLDER.findall(text)), key


def test_what_is_compiled_is_what_is_written() -> None:
    with (MESSAGES / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    assert {key: translated(compiled, key) for key in written()} == written()


def translated(compiled: gettext.GNUTranslations, key: str) -> str:
    """Return the text's translation; Python 3.11.2's `gettext` finds none that has a plural."""
    return compiled.ngettext(key, key, 1) if compiled.gettext(key) == key else compiled.gettext(key)


@pytest.mark.django_db
def test_pages_are_in_the_language_of_the_browser() -> None:
    client = superuser()

    with override("en"):  # the middleware's choice would stay active for the tests that follow
        answer = client.get(listing("sendingswitch"), headers={"accept-language": "ja"})
    page = answer.content.decode()

    assert "稼働中のワーカーがないため待機します。" in page
    assert "A talk posted now" not in page
