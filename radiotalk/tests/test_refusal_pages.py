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


def test_a_form_that_is_older_than_the_log_in_says_what_to_do_and_in_which_language() -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/admin/login/", headers={"Accept-Language": "ja"})

    assert answer.status_code == 403
    assert "もう一度送信してください" in answer.content.decode()
    assert "style=" not in answer.content.decode()
    assert "<style" not in answer.content.decode()
