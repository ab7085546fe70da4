"""No filter in the address of an admin's list is a 500, however little sense it makes."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import OperationalError, models
from django.test import Client
from django.urls import reverse

from notifications.admin.tests.rows import delivery, listener, notification, worker

LISTS = [model._meta.label_lower for model in admin.site._registry]

# Each failed: as the statement was built, or in the database.
WRONG: dict[type["models.Field[Any, Any]"], dict[str, str]] = {
    models.CharField: {"regex": "(", "iregex": "[", "range": "1"},
    models.DateTimeField: {
        "year": "99999",
        "year__gt": "-1",
        "iso_year": "99999",
        "range": "1",
        "gte": "0001-01-01 00:00+23:59",
    },
    models.IntegerField: {"range": "1", "regex": "(", "in": "9" * 40},
    models.BooleanField: {"range": "1"},
    models.JSONField: {"contains": "(", "contained_by": "(", "range": "1"},
}


def wrong_filters(model: Any) -> list[dict[str, str]]:
    """Return filters of no sense, for each field of a model."""
    return [{"pk__range": "1"}] + [
        {f"{field.name}__{lookup}": value}
        for field in model._meta.concrete_fields
        for kind, lookups in WRONG.items()
        if isinstance(field, kind)
        for lookup, value in lookups.items()
    ]


def client_of_a_superuser() -> Client:
    """Return a browser that gets the page of an error, as everybody does."""
    client = Client(raise_request_exception=False)
    client.force_login(get_user_model().objects.create_superuser("anna"))
    return client


def answers(label: str) -> dict[str, int]:
    """Return how a list with rows answers each filter of no sense."""
    delivery(notification("done"), listener("lena"))
    worker()
    client = client_of_a_superuser()
    model = next(each for each in admin.site._registry if each._meta.label_lower == label)
    page = reverse(f"admin:{label.replace('.', '_')}_changelist")
    return {str(wrong): client.get(page, wrong).status_code for wrong in wrong_filters(model)}


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
    [
        "?title__regex=(",
        "?created_at__year=99999",
        "?pk__range=1",
        "?created_at__gte=0001-01-01T00:00%2B23:59",
    ],
)
def test_a_filter_of_no_sense_is_a_bad_request(query: str) -> None:
    client = client_of_a_superuser()
    notification()

    assert client.get(f"/admin/programs/program/{query}").status_code == 400
    assert client.get("/admin/programs/program/?dry_run__exact=0").status_code == 200


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
