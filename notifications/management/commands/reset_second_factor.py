"""Take away somebody's second factors: the device and the recovery codes are lost, or stolen."""

from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.acts import keep
from accounts.sessions import sessions_of
from accounts.who import on_this_host
from notifications.management import arguments
from notifications.management.base import DatabaseCommand

from .erase_user import account as account_of


class Command(DatabaseCommand):
    help = (
        "Remove an account's passkeys, app and recovery codes, and end its sessions: the next "
        "log-in by password sets a second factor up. Make sure first who asks you for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="ACCOUNT", help="the user's name")
        arguments.with_reason(parser, required=True)

    def handle(self, *, account: str, reason: str, **options: Any) -> None:
        user = account_of(account)
        with transaction.atomic():
            removed, _per_model = Authenticator.objects.filter(user=user).delete()
            ended, _per_model = sessions_of(user).delete()
            about = f"account {user.pk}"
            keep("operator.second_factor_reset", by=on_this_host(), reason=reason, about=about)
        self.stdout.write(
            f"{account}: {removed} authenticators removed, {ended} sessions ended. The next log-in "
            "by password sets a second factor up."
        )
