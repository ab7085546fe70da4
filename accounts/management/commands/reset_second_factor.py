"""Take away somebody's second factors: the device and the recovery codes are lost, or stolen."""

import logging
from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Remove an account's passkeys, app and recovery codes, and end its sessions: the next "
        "log-in by password sets a second factor up. Make sure first who asks you for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="ACCOUNT", help="the user's name")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the log")

    def handle(self, *, account: str, reason: str, **options: Any) -> None:
        user = User.objects.filter(username=account).first()
        if user is None:
            raise CommandError(f"There is no account {account!r}. Nothing was changed.")
        removed, _per_model = Authenticator.objects.filter(user=user).delete()
        ended = end_sessions(user)
        logger.warning("second_factor.reset", extra={"account": user.pk, "reason": reason})
        self.stdout.write(
            f"{account}: {removed} authenticators removed, {ended} sessions ended. The next log-in "
            "by password sets a second factor up."
        )


def end_sessions(user: User) -> int:
    """Log the account out everywhere, and return how many sessions ended."""
    sessions = [
        session.pk
        for session in Session.objects.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(pk__in=sessions).delete()
    return len(sessions)
