"""Make listeners for a trial: each has a device and clips the same program."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from notifications.management.arguments import whole_number
from notifications.management.base import DatabaseCommand
from notifications.management.errors import Refused
from notifications.models import DeviceToken
from programs.models import Clip, Program

User = get_user_model()

TALKER = "talker"
DEFAULT_TITLE = "Night Radio"
MAX_LISTENERS = 100_000_000
CHUNK = 5000  # listeners a transaction
PLATFORMS = DeviceToken.Platform.values


class Command(DatabaseCommand):
    help = (
        "Add listeners with a device each to a program, for trying out and measuring. The program "
        f"is made if there is none of that title; its owner is {TALKER!r}, whose password is "
        "printed when the account is new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--listeners",
            type=whole_number(least=0, most=MAX_LISTENERS),
            required=True,
            metavar="N",
        )
        parser.add_argument("--program", default=DEFAULT_TITLE, metavar="TITLE")

    def handle(self, *, listeners: int, program: str, **options: Any) -> None:
        if not 0 < len(program) <= 200:
            raise Refused("--program must have 1 to 200 characters.")
        show = self.program(program)
        batch = secrets.token_hex(4)  # keeps the names of two runs apart
        for first in range(0, listeners, CHUNK):
            self.add(show, batch, range(first, min(first + CHUNK, listeners)))
        self.stdout.write(f"program {show.id} {show.title!r}: {listeners} listeners added")

    def program(self, title: str) -> Program:
        """Return the talker's program of that title; make it, and its owner, if there is none."""
        owner, created = User.objects.get_or_create(username=TALKER)
        if created:
            password = secrets.token_urlsafe(9)
            owner.set_password(password)
            owner.save()
            self.stdout.write(f"login {TALKER} {password}")
        # The first one: a talker may have two programs of the same title.
        known = Program.objects.filter(title=title, owner=owner).order_by("id").first()
        return known or Program.objects.create(title=title, owner=owner)

    @transaction.atomic
    def add(self, program: Program, batch: str, numbers: range) -> None:
        """Write one chunk of listeners, devices and clips."""
        users = User.objects.bulk_create(
            User(username=f"listener-{batch}-{number}", password="!")  # noqa: S106  (unusable)
            for number in numbers
        )
        DeviceToken.objects.bulk_create(
            DeviceToken(
                user=user,
                token=f"seed-{platform}-{batch}-{number}",
                platform=platform,
            )
            for user, number in zip(users, numbers, strict=True)
            for platform in [PLATFORMS[number % len(PLATFORMS)]]
        )
        Clip.objects.bulk_create(Clip(listener=user, program=program) for user in users)
