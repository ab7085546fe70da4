"""What the desk refuses to a person is told in the look of the desk, with the way on."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def test_an_operator_who_cannot_be_deleted_is_said_to_be_deactivated_instead(
    admin_client: Client, admin_user: User
) -> None:
    answer = admin_client.get(f"/admin/auth/user/{admin_user.pk}/delete/")

    assert answer.status_code == 403
    assert "take <em>Active</em> away instead" in answer.content.decode()


@pytest.mark.parametrize("path", ["/admin/auth/user/{}/delete/", "/admin/nothing/"])
def test_whoever_is_refused_still_sees_what_is_sent_and_can_pause(
    admin_client: Client, admin_user: User, path: str
) -> None:
    page = admin_client.get(path.format(admin_user.pk)).content.decode()

    assert 'href="/admin/notifications/sendingswitch/pause/"' in page


def test_where_nothing_is_a_page_says_so_in_the_readers_language() -> None:
    answer = Client().get("/nothing/", headers={"Accept-Language": "ja"})

    assert answer.status_code == 404
    assert "ページがありません" in answer.content.decode()
    assert 'href="/admin/"' in answer.content.decode()


def test_a_form_that_is_older_than_the_log_in_says_what_to_do_and_in_which_language() -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/admin/login/", headers={"Accept-Language": "ja"})

    assert answer.status_code == 403
    assert "もう一度送信してください" in answer.content.decode()
    assert "style=" not in answer.content.decode()
    assert "<style" not in answer.content.decode()
