"""docs/access.md: the tables in it are read and written here; the prose around them is not."""

import re

from radiotalk.settings import BASE_DIR

from .endpoints import Endpoint, endpoints
from .people import Cast, answers

PAGE = BASE_DIR / "docs" / "access.md"
TABLE = re.compile(r"^## (?P<section>.+?)\n(?:(?!^## ).*\n)*?```text\n(?P<rows>[^`]*)```", re.M)
INDENT, METHODS, CELL = 4, 26, 10  # characters

Rows = tuple[str, ...]


def title(endpoint: Endpoint) -> str:
    """Return the line that names an address, and what somebody needs besides looking."""
    permission = endpoint.permission
    return endpoint.address + (f"  {permission.codename}" if permission else "")


def row(first: str, cells: list[str]) -> str:
    """Return one line of a table."""
    return (first.ljust(INDENT + METHODS) + "".join(cell.ljust(CELL) for cell in cells)).rstrip()


def rows(cast: Cast, endpoint: Endpoint) -> Rows:
    """Return the lines below an address, as they are now."""
    said = answers(cast, endpoint).items()
    return tuple(row(" " * INDENT + methods, cells) for methods, cells in said)


def read(page: str) -> dict[str, tuple[str, Rows]]:
    """Return of each address in the page its heading and its lines, by the line that names it."""
    told: dict[str, tuple[str, Rows]] = {}
    for table in TABLE.finditer(page):
        for block in table["rows"].split("\n\n")[1:]:
            lines = block.splitlines()
            below = tuple(line for line in lines if line.startswith(" "))
            told |= {line: (table["section"], below) for line in lines if not line.startswith(" ")}
    return told


def written(page: str, cast: Cast) -> str:
    """Return the page with its tables as everything is answered now.

    Addresses that are answered alike stand together. Raise KeyError for a heading that is missing.
    """
    sections: dict[str, dict[Rows, list[str]]] = {}
    for endpoint in endpoints():
        alike = sections.setdefault(endpoint.section, {})
        alike.setdefault(rows(cast, endpoint), []).append(title(endpoint))

    def table(found: re.Match[str]) -> str:
        header = row("", list(cast.columns(found["section"])))
        blocks = [
            "\n".join([*titles, *below]) for below, titles in sections.pop(found["section"]).items()
        ]
        before = found[0][: found.start("rows") - found.start()]
        return before + "\n\n".join([header, *blocks]) + "\n```"

    page = TABLE.sub(table, page)
    if sections:
        raise KeyError(f"{PAGE} has no table under {', '.join(sections)}")
    return page
