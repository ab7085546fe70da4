"""The worker: sends the notifications of posted talks. Wires the parts and the signals."""

import gc
import logging
import signal
import sys
from argparse import ArgumentParser
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings

from notifications import fcm_config, schema
from notifications.database_errors import DATABASE_AWAY
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.management import arguments
from notifications.management.base import DatabaseCommand
from notifications.management.errors import OtherSchema, Refused
from notifications.worker import descriptors, scraping
from notifications.worker.configuration import configuration
from notifications.worker.inbox import Inbox, Stop
from notifications.worker.invoker import Invoker
from notifications.worker.lease import Lease
from notifications.worker.rate import Rate
from notifications.worker.receiver import Receiver
from notifications.worker.repository import Repository
from notifications.worker.sender import Sender
from notifications.worker.session import UnsafeSessionError, open_safely
from notifications.worker.telemetry import Readings, Telemetry
from notifications.worker.testing import Testing
from notifications.worker.watchdog import Watchdog

logger = logging.getLogger(__name__)

# What people, shells and supervisors send. The system's default for each ends the process at once,
# and what is in flight would be unknown.
STOP_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

# Python's own is 700: results of some ten answers.
NEW_OBJECTS = 50_000


class Command(DatabaseCommand):
    help = (
        "Send the notifications of posted talks. One worker is active at a time; exit 3 when "
        "another one is, unless --standby, 4 when the database has another schema than this code, "
        "and 6 when it was put back to an earlier state. SIGTERM, SIGHUP, SIGQUIT and Ctrl-C "
        "finish what is in flight first."
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

    def handle(
        self, *, max_workers: int, standby: bool, once: bool, skip_checks: bool, **options: Any
    ) -> None:
        if not skip_checks:
            refuse_another_schema()
        inbox = Inbox()
        access = access_token()
        endpoint = endpoint_for(access)
        lease = Lease(
            timedelta(seconds=settings.NOTIFICATIONS_LEASE_TTL),
            settings=partial(configuration, lanes=max_workers, endpoint=endpoint, access=access),
        )
        if settings.FCM_PROXY:
            logger.info("proxy.used", extra={"proxy": endpoint.proxy_address[0]})
        descriptors.make_room(lanes=max_workers)
        sender = Sender(
            lanes=max_workers,
            endpoint=endpoint,
            access=access,
            report=inbox.put,
        )
        receiver = Receiver(inbox.put)
        rate = Rate(settings.NOTIFICATIONS_MAX_PER_MINUTE)
        telemetry = Telemetry()
        telemetry.registry.register(
            Readings(telemetry=telemetry, sender=sender, lease=lease, rate=rate, access=access)
        )
        repository = Repository(lease)
        invoker = Invoker(
            inbox=inbox,
            lease=lease,
            repository=repository,
            sender=sender,
            testing=Testing(repository.tests, endpoint=endpoint, access=access, report=inbox.put),
            rate=rate,
            watchdog=Watchdog(settings.NOTIFY_SOCKET),
            telemetry=telemetry,
            standby=standby,
            once=once,
        )
        stop_by_signals(inbox)
        look_for_garbage_seldom()
        with closing(sender):
            open_session()
            receiver.start()
            scraping.serve(telemetry.registry, port=settings.METRICS_PORT)
            try:
                exit_code = invoker.run()
            finally:
                receiver.stop()
        sys.exit(exit_code)


def stop_by_signals(inbox: Inbox) -> None:
    """Let each of these signals ask for a stop in good order; a hang-up that nohup ignores is none.

    A handler does nothing but that, since it may interrupt anything.
    """
    for signum in STOP_SIGNALS:
        if signum is signal.SIGHUP and signal.getsignal(signum) is signal.SIG_IGN:
            continue
        signal.signal(signum, lambda number, frame: inbox.put(Stop(signal.Signals(number).name)))


def refuse_another_schema() -> None:
    """Raise OtherSchema unless the schema is this code's; a database that is away is waited for."""
    try:
        problem = schema.problem()
    except DATABASE_AWAY:
        return
    if problem:
        raise OtherSchema(problem)


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
    if not settings.GOOGLE_APPLICATION_CREDENTIALS:
        raise Refused(
            "GOOGLE_APPLICATION_CREDENTIALS is not set: name the service account file of your "
            "Firebase project, or try `make run`, which brings an emulator of FCM.",
        )
    try:
        return fcm_config.access_token()
    except ValueError as error:
        told = fcm_config.said_of_file("GOOGLE_APPLICATION_CREDENTIALS", error)
        raise Refused(told) from error


def endpoint_for(access: AccessToken) -> Endpoint:
    """Return where FCM is by the settings; raise Refused when they cannot be used."""
    try:
        return fcm_config.endpoint(access)
    except ValueError as error:
        raise Refused(str(error)) from error
