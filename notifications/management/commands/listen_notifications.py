"""The worker: sends the notifications of posted talks. Wires the parts and the signals."""

import gc
import logging
import signal
import sys
from argparse import ArgumentParser
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from notifications import fcm_config
from notifications.checks import credentials_problem
from notifications.fcm.credentials import AccessToken
from notifications.management import arguments
from notifications.management.errors import Refused
from notifications.worker.inbox import Inbox, Stop
from notifications.worker.invoker import Invoker
from notifications.worker.lease import Lease
from notifications.worker.outage import DATABASE_AWAY
from notifications.worker.rate import Rate
from notifications.worker.receiver import Receiver
from notifications.worker.repository import Repository
from notifications.worker.sender import Sender
from notifications.worker.session import UnsafeSessionError, open_safely
from notifications.worker.watchdog import Watchdog

logger = logging.getLogger(__name__)

# Python's own is 700: results of some ten answers.
NEW_OBJECTS = 50_000


class Command(BaseCommand):
    help = (
        "Send the notifications of posted talks. One worker is active at a time; exit 3 when "
        "another one is, unless --standby. SIGTERM and Ctrl-C finish what is in flight first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--max-workers",
            type=arguments.threads,
            default=settings.NOTIFICATIONS_MAX_WORKERS,
            metavar="N",
            help="threads that send, each up to 100 at once (default %(default)s)",
        )
        parser.add_argument(
            "--standby", action="store_true", help="wait while another worker is active"
        )
        parser.add_argument("--once", action="store_true", help="send what is due, then exit")

    def handle(self, *, max_workers: int, standby: bool, once: bool, **options: Any) -> None:
        inbox = Inbox()
        lease = Lease(timedelta(seconds=settings.NOTIFICATIONS_LEASE_TTL))
        access = access_token()
        endpoint = fcm_config.endpoint(access)
        sender = Sender(
            lanes=max_workers,
            endpoint=endpoint,
            access=access,
            report=inbox.put,
        )
        receiver = Receiver(inbox.put)
        invoker = Invoker(
            inbox=inbox,
            lease=lease,
            repository=Repository(lease),
            sender=sender,
            rate=Rate(settings.NOTIFICATIONS_MAX_PER_MINUTE),
            watchdog=Watchdog(settings.NOTIFY_SOCKET),
            standby=standby,
            once=once,
        )
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(
                signum, lambda number, frame: inbox.put(Stop(signal.Signals(number).name))
            )
        if settings.FCM_PROXY:
            logger.info("proxy.used", extra={"proxy": endpoint.proxy_address[0]})
        look_for_garbage_seldom()
        with closing(sender):
            open_session()
            receiver.start()
            try:
                exit_code = invoker.run()
            finally:
                receiver.stop()
        sys.exit(exit_code)


def open_session() -> None:
    """Connect to the database; raise Refused when the session lacks what safety rests on."""
    try:
        open_safely()
    except UnsafeSessionError as error:
        raise Refused(f"DATABASE_URL: {error}") from error
    except DATABASE_AWAY:
        pass  # the loop waits for the database, and says so


def look_for_garbage_seldom() -> None:
    """Let Python look for cycles seldom, and only among new objects: sending makes no cycles.

    Looking through all 100,000 loaded objects stops every lane for 37 ms (measured).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


def access_token() -> AccessToken:
    """Return the credentials of the settings; raise Refused when they cannot be used."""
    path = settings.GOOGLE_APPLICATION_CREDENTIALS
    if not path:
        raise Refused(
            "GOOGLE_APPLICATION_CREDENTIALS is not set: name the service account file of your "
            "Firebase project, or try `make run`, which brings an emulator of FCM.",
        )
    if problem := credentials_problem(Path(path)):
        raise Refused(f"GOOGLE_APPLICATION_CREDENTIALS: {path} {problem}.")
    try:
        return fcm_config.access_token()
    except ValueError as error:
        raise Refused(f"GOOGLE_APPLICATION_CREDENTIALS: {path} is refused: {error}") from error
