"""A service account file that cannot be used is told in words, and nothing of it is shown."""

import json
from pathlib import Path

import pytest

from notifications.fcm import service_account
from notifications.fcm.credentials import AccessToken

from .broken_accounts import BROKEN, account


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a service account file is put."""
    return tmp_path / "service-account.json"


def refusal(name: str) -> str:
    """Return the words in which the file is refused."""
    with pytest.raises(ValueError, match=r".+") as refused:
        service_account.load(name)
    return str(refused.value)


def test_a_file_of_googles_is_taken_as_it_is(file: Path) -> None:
    file.write_text(account())

    assert service_account.load(str(file)) == json.loads(account())


@pytest.mark.parametrize("project_id", ["radiotalk", "radiotalk-emulator", "example.com:radio"])
def test_each_project_id_that_google_gives_is_taken(file: Path, project_id: str) -> None:
    file.write_text(json.dumps(json.loads(account()) | {"project_id": project_id}))

    assert AccessToken(str(file), ca_file="").project_id == project_id


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_used_is_told_in_words(file: Path, kind: str) -> None:
    make, words = BROKEN[kind]
    file.write_bytes(make())

    assert words in refusal(str(file))


@pytest.mark.parametrize("kind", BROKEN)
def test_the_worker_takes_no_file_that_is_refused(file: Path, kind: str) -> None:
    file.write_bytes(BROKEN[kind][0]())

    with pytest.raises(ValueError, match=r".+"):
        AccessToken(str(file), ca_file="")


@pytest.mark.parametrize("kind", BROKEN)
def test_nothing_of_a_key_is_told(file: Path, kind: str) -> None:
    content = BROKEN[kind][0]()
    file.write_bytes(content)

    told = refusal(str(file))

    held = content.decode(errors="replace")
    assert not any(held[at : at + 40] in told for at in range(len(held) - 40))
    assert "sEcReT" not in told


def test_the_key_itself_in_place_of_its_files_name_is_told_and_not_shown() -> None:
    text = account()
    key = json.loads(text)["private_key"]

    for value in (text, f"\n {text}", f"'{text}'", key):
        assert refusal(value).startswith("holds the key itself instead of the name of its file")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/nowhere/service-account.json", "cannot be read (No such file or directory)"),
        ("/", "cannot be read (Is a directory)"),
        ("x" * 5000, "cannot be read (File name too long)"),
        ("nul\0", "is not the name of a file"),
        ("\udcff\ud800", "is not the name of a file"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_file_is_told(name: str, words: str) -> None:
    assert refusal(name) == words
