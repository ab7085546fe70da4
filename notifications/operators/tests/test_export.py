"""A person is given all that is kept of them."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from accounts.models import Act
from accounts.who import on_this_host
from notifications.operators import export, personal
from notifications.tests.factories import DeliveryFactory, DeviceTokenFactory
from programs.models import Talk
from programs.tests.factories import ClipFactory, ProgramFactory, TalkFactory
from programs.tests.recordings import wav

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def anna() -> User:
    """Return somebody who talks and listens."""
    anna = User.objects.create_user("anna", password=PASSWORD)
    TalkFactory.create(program=ProgramFactory.create(owner=anna, title="アンナの夜"), title="Owls")
    ClipFactory.create(listener=anna)
    device = DeviceTokenFactory.create(user=anna, token="a-long-secret-token-abcdef")
    DeliveryFactory.create(device=device)
    return anna


def test_all_there_is_is_written_and_no_secret(anna: User, tmp_path: Path) -> None:
    TalkFactory.create(title="another's")

    call_command("export_user", "anna", "--to", str(tmp_path / "anna"), stdout=StringIO())

    text = (tmp_path / "anna" / "account.json").read_text()
    told = json.loads(text)
    assert {label for label, rows in told.items() if rows} == {
        "auth.User",
        "programs.Program",
        "programs.Talk",
        "programs.Clip",
        "notifications.Notification",
        "notifications.DeviceToken",
        "notifications.Delivery",
    }
    assert {model._meta.label for model, _kept in personal.kept()} < set(told)
    assert told["programs.Program"][0]["title"] == "アンナの夜"
    assert told["notifications.DeviceToken"][0]["token_end"] == "abcdef"
    anna.refresh_from_db()
    for secret in ("a-long-secret-token", anna.password, "another's"):
        assert secret not in text


def test_recordings_are_given_as_they_are(anna: User, tmp_path: Path) -> None:
    name = str(Talk.objects.get(title="Owls").audio.name)

    call_command("export_user", "anna", "--to", str(tmp_path / "anna"), stdout=StringIO())

    assert (tmp_path / "anna" / name).read_bytes() == wav()


def test_a_recording_that_is_away_is_left_out(anna: User, tmp_path: Path) -> None:
    Path(Talk.objects.get(title="Owls").audio.path).unlink()
    out = StringIO()

    call_command("export_user", "anna", "--to", str(tmp_path / "anna"), stdout=out)

    assert out.getvalue() == "account.json\n"


def test_only_its_owner_reads_the_directory(anna: User, tmp_path: Path) -> None:
    call_command("export_user", "anna", "--to", str(tmp_path / "anna"), stdout=StringIO())

    assert (tmp_path / "anna").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_is_there_is_left_alone(anna: User, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is there already"):
        call_command("export_user", "anna", "--to", str(tmp_path))

    assert list(tmp_path.iterdir()) == []
    assert not Act.objects.exists()


def test_it_is_an_act_that_names_nobody(anna: User, tmp_path: Path) -> None:
    call_command("export_user", "anna", "--to", str(tmp_path / "anna"), stdout=StringIO())

    act = Act.objects.get()
    assert (act.name, act.about) == ("operator.user_exported", f"account {anna.pk}")
    assert act.account_name == on_this_host().name


def test_nothing_is_written_without_the_act(
    anna: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(export, "keep", broken)

    with pytest.raises(RuntimeError):
        call_command("export_user", "anna", "--to", str(tmp_path / "anna"), stdout=StringIO())

    assert list((tmp_path / "anna").iterdir()) == []
