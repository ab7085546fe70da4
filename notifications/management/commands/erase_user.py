"""Forget a person: the account, and all that names them. The sending may go on meanwhile."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User

from accounts.who import on_this_host
from notifications.management.base import DatabaseCommand
from notifications.management.errors import Interrupted, Refused
from notifications.operators import acts, erase, personal
from radiotalk import clock


class Command(DatabaseCommand):
    help = (
        "Erase an account with its programs, talks, recordings, clips, devices and log-ins; the "
        "send log keeps its lines, and no name. It cannot be undone. Ctrl-C at any time: run it "
        "again, and it goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--yes", action="store_true", help="do not ask for the name once more")

    def handle(self, *, username: str, yes: bool, **options: Any) -> None:
        user = account(username)
        if refusal := erase.objection(user):
            raise Refused(refusal)
        for what, count in personal.counts(user).items():
            if count:
                self.stdout.write(f"{count:>10,}  {what}")
        if not yes and input("Type the name again to erase all of this: ") != username:
            raise Refused("Nothing was erased: that is another name.")
        self.erase(user)

    def erase(self, user: User) -> None:
        """Erase, and tell each step."""
        done: dict[str, int] = {}
        try:
            for step in erase.erase(user, by=on_this_host(), now=clock.now()):
                done[step.what] = done.get(step.what, 0) + step.rows
                self.stdout.write(f"{step.what}: {done[step.what]:,}")
        except acts.Refused as refusal:
            raise Refused(str(refusal)) from refusal
        except KeyboardInterrupt as interrupt:
            rest = "run it again" if "account" not in done else "manage.py prune does the rest"
            self.stdout.write(f"Stopped half way: {rest}.")
            raise Interrupted from interrupt


def account(username: str) -> User:
    """Return the account of that name; raise Refused when there is none."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise Refused(f"There is no account {username!r}.")
    return user
