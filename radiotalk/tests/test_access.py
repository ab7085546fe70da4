"""Every address is answered as docs/access.md says, to everybody and by every method."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from .access import page
from .access.endpoints import Endpoint, endpoints
from .access.people import Cast, answer, on_stage

pytestmark = pytest.mark.django_db

ENDPOINTS = endpoints()
TOLD = page.read(page.PAGE.read_text())
ELSEWHERE = "https://elsewhere.example/"


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    """Yield everybody who asks; each request is undone, so all tests have the same world."""
    with django_db_blocker.unblock(), on_stage() as cast:
        yield cast


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.address)
def test_each_address_is_answered_as_the_table_says(cast: Cast, endpoint: Endpoint) -> None:
    title, rows = page.title(endpoint), page.rows(cast, endpoint)

    assert TOLD.get(title) == (endpoint.section, rows), "\n".join(
        [
            f"docs/access.md does not say this under {endpoint.section}:",
            title,
            *rows,
            "If it is meant, run `python -m radiotalk.tests.access`, and read the diff.",
        ]
    )
    assert " 500" not in "\n".join(rows)
    columns = cast.columns(endpoint.section)
    most = next(columns[name][0] for name in ("all", "owner", "fresh", "staff") if name in columns)
    head, get = (answer(cast.world, endpoint, method, most) for method in ("HEAD", "GET"))
    assert head == get


def test_no_line_is_about_an_address_that_is_gone(cast: Cast) -> None:
    assert set(TOLD) - {page.title(endpoint) for endpoint in ENDPOINTS} == set()


# What reads `next`; the desk's own pages lead to `?next=` of the log-in, which is among these.
LEADING_ON = [each for each in ENDPOINTS if each.section in ("Log-in", "Others")]


@pytest.mark.parametrize("endpoint", LEADING_ON, ids=lambda endpoint: endpoint.address)
def test_next_leads_nobody_out_of_the_site(cast: Cast, endpoint: Endpoint) -> None:
    for people in cast.columns(endpoint.section).values():
        for method in ("GET", "POST"):
            # Raises ValueError for a redirect out of the site.
            answer(cast.world, endpoint, method, people[0], {"next": ELSEWHERE})
