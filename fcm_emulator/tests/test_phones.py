"""What the page is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from fcm_emulator.answers import Outcome, success
from fcm_emulator.journal import Journal
from fcm_emulator.message import read
from fcm_emulator.phones import KEPT, Phones

ACCEPTED = Outcome(accepted=True, answer=success("projects/p/messages/1"))


class Shown:
    """Phones fed by a journal."""

    def __init__(self, directory: Path) -> None:
        self.phones = Phones()
        self._journal = Journal(directory / "journal.jsonl")

    def add(self, target: str = "dev-1", *, validate_only: bool = False) -> None:
        content = {"message": {"token": target}, "validate_only": validate_only}
        send = read(json.dumps(content).encode())
        entry = self._journal.enter(send, ACCEPTED, at=0, http="2", access_token=None)
        self.phones.add(entry)

    def since(self, n: int) -> Any:
        return json.loads(self.phones.since(n).body)


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


def test_only_what_is_new_is_told(shown: Shown) -> None:
    for _ in range(3):
        shown.add()

    assert [card["n"] for card in shown.since(1)["cards"]] == [2, 3]


def test_the_last_ones_are_kept_and_all_are_counted(shown: Shown) -> None:
    for _ in range(KEPT + 5):
        shown.add()

    news = shown.since(0)
    assert (news["accepted"], len(news["cards"]), news["cards"][-1]["n"]) == (205, 200, 205)


def test_a_dry_run_is_counted_and_shown_on_no_phone(shown: Shown) -> None:
    shown.add(validate_only=True)

    assert shown.since(0) == {"accepted": 0, "validated": 1, "refused": 0, "cards": []}


def test_a_card_shows_the_last_six_characters_of_a_token(shown: Shown) -> None:
    shown.add("a-long-and-secret-token")

    assert shown.since(0)["cards"][0]["device"] == "…-token"


@pytest.mark.parametrize("platform", ["ios", "android"])
def test_a_token_names_its_platform(shown: Shown, platform: str) -> None:
    shown.add(f"demo-{platform}-7")

    assert shown.since(0)["cards"][0]["platform"] == platform
