"""The API describes itself, completely."""

import pytest
from django.core.management import call_command
from django.test import Client


def test_the_schema_is_valid_and_raises_no_question(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True)

    assert "Idempotency-Key" in capsys.readouterr().out


def test_the_documentation_needs_no_other_server(admin_client: Client) -> None:
    page = admin_client.get("/api/v1/docs/").content.decode()

    assert "swagger-ui-bundle.js" in page
    assert "https://cdn" not in page
