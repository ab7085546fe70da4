"""Nothing in the address or the form of an admin's page is a 500, however little sense it makes."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse

from notifications.admin.tests.rows import delivery, listener, notification, worker
from radiotalk.offered_lookups import offered

LISTS = [model._meta.label_lower for model in admin.site._registry]

# In place of what a filter makes of a click.
ODD = ["", "(", "99999", "-1", "9" * 40, "0001-01-01", "9999-12-31 23:59+00:00", "\u3042"]
# What every list takes besides its filters: search, page, order, and Django's own switches.
ALWAYS = ["q", "p", "o", "e", "all", "_facets"]


def odd_addresses(model: Any) -> list[dict[str, str]]:
    """Return what the list of a model may be asked with, each parameter with each odd value."""
    request = RequestFactory().get("/admin/")
    request.user = get_user_model()(is_superuser=True, is_active=True)
    names = [*ALWAYS, *filter(None, offered(admin.site.get_model_admin(model), request))]
    # Each was a 500 when a list took lookups that it does not offer.
    taken_back = [{"pk__range": "1"}, {"created_at__year": "99999"}, {"title__regex": "("}]
    return [*taken_back, *({name: value} for name in names for value in ODD)]


def client_of_a_superuser() -> Client:
    """Return a browser that gets the page of an error, as everybody does."""
    client = Client(raise_request_exception=False)
    client.force_login(get_user_model().objects.create_superuser("anna"))
    return client


def answers(label: str) -> dict[str, int]:
    """Return how a list with rows answers odd values of what it takes."""
    delivery(notification("done"), listener("lena"))
    worker()
    client = client_of_a_superuser()
    model = next(each for each in admin.site._registry if each._meta.label_lower == label)
    page = reverse(f"admin:{label.replace('.', '_')}_changelist")
    return {str(odd): client.get(page, odd).status_code for odd in odd_addresses(model)}


@pytest.mark.django_db
@pytest.mark.parametrize("label", LISTS)
def test_no_filter_is_an_error_on_sqlite(label: str) -> None:
    # 302: Django itself knows that the filter makes no sense, and shows the whole list.
    assert {wrong for wrong, status in answers(label).items() if status >= 500} == set()


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("label", LISTS)
def test_no_filter_is_an_error_on_postgresql(label: str) -> None:
    assert {wrong for wrong, status in answers(label).items() if status >= 500} == set()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["?title__regex=(", "?created_at__year=99999", "?pk__range=1", "?created_at__gte=0001-01-01"],
)
def test_a_filter_of_no_sense_is_a_bad_request(query: str) -> None:
    client = client_of_a_superuser()

    assert client.get(f"/admin/programs/program/{query}").status_code == 400
    assert client.get("/admin/programs/program/?dry_run__exact=1").status_code == 200


@pytest.mark.django_db
def test_a_defect_and_a_database_that_is_away_are_no_fault_of_the_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = client_of_a_superuser()

    for error, status in ((ValueError, 500), (OperationalError, 503)):

        def fail(*arguments: Any, error: type[Exception] = error) -> None:
            raise error("as the page is made")

        monkeypatch.setattr("programs.admin.ProgramAdmin.get_queryset", fail)
        assert client.get("/admin/programs/program/?dry_run__exact=1").status_code == status


# What a person types where the number of a row is wanted.
NO_ROWS = ["lena", "", "x" * 5000, "1e400", "\u3042", "[]", "9" * 40]


@pytest.mark.django_db
@pytest.mark.parametrize("label", LISTS)
@pytest.mark.parametrize("number", NO_ROWS)
def test_a_ticked_row_that_is_none_is_no_defect(label: str, number: str) -> None:
    page = reverse(f"admin:{label.replace('.', '_')}_changelist")
    ticked = {"action": "delete_selected", "_selected_action": number, "post": "yes"}

    assert client_of_a_superuser().post(page, ticked).status_code < 500


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "field"),
    [("program", "owner"), ("talk", "program"), ("clip", "listener"), ("clip", "program")],
)
@pytest.mark.parametrize("number", NO_ROWS)
def test_a_form_that_names_no_row_is_no_defect(model: str, field: str, number: str) -> None:
    client = client_of_a_superuser()
    page = reverse(f"admin:programs_{model}_add")

    assert client.get(page, {field: number}).status_code < 500
    assert client.post(page, {field: number, "title": "Owls"}).status_code < 500
    assert client.post(page, {"title": "Owls"}).status_code == 200  # it says what is missing
