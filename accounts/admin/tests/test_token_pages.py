"""The desk finds and revokes tokens, shows none, and tells nothing of them by its filters."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Act, ApiToken
from accounts.tests.devices import device, gets_in, person

pytestmark = pytest.mark.django_db

LIST = "admin:accounts_apitoken_changelist"


def staff(*permissions: str) -> Client:
    """Return the client of a staff member with these permissions."""
    mia = person("mia", is_staff=True)
    mia.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(mia)
    return client


def shown(client: Client, query: str = "") -> list[str]:
    """Return whose tokens the list shows."""
    rows = client.get(f"{reverse(LIST)}{query}").context["cl"].result_list
    return [token.user.username for token in rows]


# --- What can be learnt ----------------------------------------------------------------------

SECRETS = ("digest", "token_key", "fingerprint", "user__password")
WAYS = ("", "__lt", "__startswith", "__regex", "__in")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "path",
    [
        "auth_token__key",  # before: 160 requests for a whole token
        *(f"auth_token_set__{secret}" for secret in SECRETS),
        *(f"apitoken__{secret}" for secret in SECRETS),
        *(f"+__{secret}" for secret in SECRETS),
    ],
)
def test_who_may_only_view_users_cannot_guess_a_token_by_filtering_them(
    path: str, way: str
) -> None:
    device(person("otto"))
    client = staff("view_user")

    for value in ("0", "f", "g"):
        answer = client.get(reverse("admin:auth_user_changelist"), {f"{path}{way}": value})
        assert answer.status_code in (302, 400)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", SECRETS)
def test_who_may_view_tokens_cannot_either(path: str, way: str) -> None:
    device(person("otto"))
    client = staff("view_apitoken")

    answer = client.get(reverse(LIST), {f"{path}{way}": "0"})

    assert answer.status_code == 400


def test_no_page_shows_a_token_or_a_digest() -> None:
    device(person("otto"))
    row = ApiToken.objects.get()
    client = staff("view_apitoken", "delete_apitoken")

    pages = [
        reverse(LIST),
        reverse("admin:accounts_apitoken_change", args=[row.pk]),
        reverse("admin:accounts_apitoken_delete", args=[row.pk]),
    ]

    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200
        for secret in (row.digest, row.token_key, row.fingerprint):
            assert secret not in answer.content.decode()


# --- What is there ---------------------------------------------------------------------------


def test_the_list_is_searched_by_a_users_whole_name() -> None:
    for name in ("otto", "ottokar"):
        device(person(name))
    client = staff("view_apitoken")

    assert shown(client) == ["ottokar", "otto"]
    assert shown(client, "?q=otto") == ["otto"]
    assert shown(client, "?q=ott") == []


def test_its_words_are_the_readers() -> None:
    device(person("otto"))
    row = ApiToken.objects.get()
    client = staff("view_apitoken")

    for page in (reverse(LIST), reverse("admin:accounts_apitoken_change", args=[row.pk])):
        shown = client.get(page, headers={"Accept-Language": "ja"}).content.decode()
        assert "ユーザー" in shown
        assert f'href="{reverse("admin:auth_user_change", args=[row.user_id])}"' in shown


def test_it_says_which_tokens_let_nobody_in() -> None:
    device(person("lena"))
    device(person("otto"))
    User.objects.filter(username="otto").update(is_active=False)

    rows = staff("view_apitoken").get(reverse(LIST)).context["cl"].result_list

    assert {row.user.username: row.lets_in for row in rows} == {"lena": True, "otto": False}


def test_more_tokens_cost_no_more_queries() -> None:
    client = staff("view_apitoken", "delete_apitoken")

    def queries() -> int:
        device(person(f"user{ApiToken.objects.count()}"))
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse(LIST))
        return len(captured)

    assert queries() == queries() == queries()


# --- What is done ----------------------------------------------------------------------------


def test_the_desk_revokes_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    otto = person("otto")
    stolen, kept = device(otto), device(otto)
    row = ApiToken.objects.order_by("id")[0]
    client = staff("view_apitoken", "delete_apitoken")

    client.post(reverse("admin:accounts_apitoken_delete", args=[row.pk]), {"post": "yes"})

    assert not gets_in(stolen)
    assert gets_in(kept)
    [event] = [each for each in caplog.records if each.message == "token.revoked"]
    mia = User.objects.get(username="mia")
    told = {"token": row.pk, "account": otto.pk, "by": mia.pk, "address": "127.0.0.1"}
    assert vars(event) | told == vars(event)


def test_and_all_of_an_account() -> None:
    otto, lena = person("otto"), person("lena")
    stolen, other, anothers = device(otto), device(otto), device(lena)
    ticked = ApiToken.objects.filter(user=otto).order_by("id")[0]
    client = staff("view_apitoken", "delete_apitoken")

    answer = client.post(
        reverse(LIST), {"action": "revoke_all_of_their_accounts", "_selected_action": ticked.pk}
    )

    assert answer.status_code == 302
    assert [gets_in(each) for each in (stolen, other, anothers)] == [False, False, True]
    assert Act.objects.get(name="operator.tokens_revoked").about == f"account {otto.pk}"


def test_and_those_that_are_ticked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    otto = person("otto")
    devices = [device(otto) for _ in range(3)]
    ticked = ApiToken.objects.order_by("id").values_list("pk", flat=True)[:2]
    client = staff("view_apitoken", "delete_apitoken")

    form = {"action": "delete_selected", "_selected_action": list(ticked), "post": "yes"}
    client.post(reverse(LIST), form)

    assert [gets_in(each) for each in devices] == [False, False, True]
    assert [each.message for each in caplog.records].count("token.revoked") == 2


@pytest.mark.parametrize("action", ["revoke_all_of_their_accounts", "delete_selected"])
def test_who_may_only_look_revokes_nothing(action: str) -> None:
    phone = device(person("otto"))
    row = ApiToken.objects.get()
    client = staff("view_apitoken")

    client.post(reverse(LIST), {"action": action, "_selected_action": row.pk, "post": "yes"})
    delete = client.post(reverse("admin:accounts_apitoken_delete", args=[row.pk]), {"post": "yes"})

    assert delete.status_code == 403
    assert gets_in(phone)


def test_nobody_makes_or_changes_one() -> None:
    device(person("otto"))
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    change = reverse("admin:accounts_apitoken_change", args=[ApiToken.objects.get().pk])

    assert root.get(reverse("admin:accounts_apitoken_add")).status_code == 403
    assert root.post(change, {"name": "mine"}).status_code == 403
