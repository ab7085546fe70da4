"""The admin finds users by index, among a million listeners."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def names(client: Client, query: str) -> set[str]:
    """Return the names of the users in the list."""
    rows = client.get(f"/admin/auth/user/{query}").context["cl"].result_list
    return {user.username for user in rows}


@pytest.fixture(autouse=True)
def people() -> None:
    """Make two listeners and one of the staff."""
    for name in ("lena", "leo"):
        User.objects.create_user(name)
    User.objects.create_user("vera", is_staff=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"admin", "lena", "leo", "vera"}),
        ("?q=le", {"lena", "leo"}),
        ("?q=era", set()),
        ("?staff=yes", {"admin", "vera"}),
    ],
)
def test_they_are_found_by_how_a_name_begins_and_by_staff(
    admin_client: Client, query: str, found: set[str]
) -> None:
    assert names(admin_client, query) == found


def test_the_list_tells_who_was_deactivated(admin_client: Client) -> None:
    User.objects.filter(username="vera").update(is_active=False)

    page = admin_client.get("/admin/auth/user/?q=vera").content.decode()

    assert page.count("icon-no.svg") == 1
    assert "field-is_active" in page


def test_a_form_finds_its_owner_page_by_page(admin_client: Client) -> None:
    User.objects.bulk_create(User(username=f"listener-{number:03}") for number in range(45))
    address = "/admin/autocomplete/?app_label=programs&model_name=program&field_name=owner&term=li"

    pages = [admin_client.get(f"{address}&page={page}").json() for page in (1, 2, 3)]

    assert [len(page["results"]) for page in pages] == [20, 20, 5]
    assert [page["pagination"]["more"] for page in pages] == [True, True, False]
