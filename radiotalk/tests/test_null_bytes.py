"""A NUL in a page's address, which PostgreSQL would refuse with an error."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

LIST = "/admin/notifications/notification/"


@pytest.mark.engines
@pytest.mark.django_db
def test_a_nul_in_a_filter_of_the_admin_is_a_bad_request() -> None:
    admin = get_user_model().objects.create_superuser("anna")
    client = Client(raise_request_exception=False)
    client.force_login(admin)

    assert client.get(LIST, {"state__exact": "held"}).status_code == 200
    assert client.get(LIST, {"state__exact": "\0"}).status_code == 400
