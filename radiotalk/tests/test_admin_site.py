"""No list of the admin tells a secret by which rows it shows, or in which order."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from notifications.tests.factories import DeviceTokenFactory
from radiotalk.offered_lookups import OfferedLookups

pytestmark = pytest.mark.django_db

SECRETS = {
    "password", "token", "token_key", "key", "digest", "content_digest", "idempotency_key",
    "secret", "seed", "salt", "session_key", "session_data", "data",
}  # fmt: skip
MOST_PARTS = 3  # of a lookup's path
WAYS = ("", "__startswith", "__lt", "__in", "__regex", "__isnull")
EVERY_MODEL = sorted(admin.site._registry, key=lambda model: model._meta.label)


def paths(model: type[Model], most: int = MOST_PARTS) -> Iterator[str]:
    """Yield each path of lookups from the model to a secret."""
    for field in model._meta.get_fields():
        if field.name in SECRETS and not field.is_relation:
            yield field.name
        if field.is_relation and field.related_model and most > 1:
            yield from (f"{field.name}__{rest}" for rest in paths(field.related_model, most - 1))


def is_secret(lookup: Any) -> bool:
    """Return whether a lookup, or the name of a column, leads to a secret."""
    return bool(SECRETS & set(str(lookup).strip("-^=@").split("__")))


def viewer() -> Client:
    """Return the client of a staff member who may look at everything, and change nothing."""
    mia = User.objects.create(username="mia", is_staff=True)
    mia.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(mia)
    return client


def listing(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize(
    "lookup", ["password__startswith", "devices__token__startswith", "auth_token__key__lt"]
)
def test_who_may_only_view_users_guesses_no_secret_from_their_list(lookup: str) -> None:
    DeviceTokenFactory.create(user=User.objects.create_user("otto", password="correct horse"))
    client = viewer()

    answers = [client.get(listing(User), {lookup: value}) for value in ("md5", "token-of", "zzz")]

    assert [answer.status_code for answer in answers] == [400, 400, 400]


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model._meta.label)
def test_no_list_answers_a_lookup_of_a_secret(model: type[Model]) -> None:
    client = viewer()

    for path in paths(model):
        for way in WAYS:
            answers = [client.get(listing(model), {f"{path}{way}": value}) for value in "1x"]

            # A page that is no list, as that of the one switch, does not ask the database.
            codes = {answer.status_code for answer in answers}
            assert codes == {400} or answers[0].content == answers[1].content, path + way


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model._meta.label)
def test_no_list_is_searched_sorted_or_filtered_by_a_secret(model: type[Model], rf: Any) -> None:
    request = rf.get("/")
    request.user = User.objects.create_superuser("root")
    model_admin = admin.site.get_model_admin(model)
    changelist = model_admin.get_changelist_instance(request)

    assert not [each for each in model_admin.get_search_fields(request) if is_secret(each)]
    columns = [changelist.get_ordering_field(each) for each in changelist.list_display]
    assert not [each for each in columns if is_secret(each)]
    assert not [each for each in model_admin.get_list_filter(request) if is_secret(each)]


def test_every_model_of_the_admin_is_guarded() -> None:
    assert all(isinstance(each, OfferedLookups) for each in admin.site._registry.values())


@pytest.mark.parametrize("field", ["password", "token", "key"])
@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model._meta.label)
def test_no_popup_refers_to_rows_by_a_secret(model: type[Model], field: str) -> None:
    answer = viewer().get(listing(model), {"_to_field": field, "_popup": "1"})

    # The page of the one switch is no list, whatever its address says.
    assert answer.status_code == (200 if model._meta.model_name == "sendingswitch" else 400)


def test_choices_that_are_searched_for_say_nothing_of_secrets() -> None:
    lena = User.objects.create_user("lena", password="correct horse battery")
    client = viewer()
    source = {"app_label": "programs", "model_name": "program", "field_name": "owner"}

    for term in (lena.password[:10], "md5"):
        answer = client.get(reverse("admin:autocomplete"), {**source, "term": term})
        assert answer.json()["results"] == []
    asked = {**source, "term": "lena", "password__startswith": "!", "_to_field": "password"}
    found = client.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert found == [{"id": str(lena.pk), "text": "lena"}]


def test_the_flag_of_an_error_opens_nothing() -> None:
    answer = viewer().get(listing(User), {"e": "1", "password__startswith": "md5"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("model", "query", "code"),
    [
        ("notifications_notification", "state__exact=held&dry_run__exact=1&unknown=yes", 200),
        (
            "notifications_notification",
            "created_at__gte=2026-01-01+00:00Z&created_at__lt=2026-02-01+00:00Z",
            200,
        ),
        ("notifications_delivery", "notification__id__exact=7&outcome__exact=sent&q=lena", 200),
        ("notifications_devicetoken", "platform__exact=ios&mine=yes&freshness=dead", 200),
        ("auth_user", "staff=yes&q=lena&_facets=True&o=1&p=1&all=&_popup=1&_to_field=id", 200),
        ("auth_user", "staff=yes&e=1", 200),
        # No filter of the list makes these; the database could not answer some of them.
        ("programs_talk", "title__regex=(", 400),
        ("programs_talk", "posted_at__year=99999", 400),
        ("programs_program", "pk__range=1", 400),
        ("programs_program", "owner__email__startswith=a", 400),
    ],
)
def test_what_the_lists_filters_make_is_answered_and_nothing_else(
    model: str, query: str, code: int
) -> None:
    answer = viewer().get(f"{reverse(f'admin:{model}_changelist')}?{query}")

    assert answer.status_code == code
