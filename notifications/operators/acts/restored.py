"""The act after a restore: what FCM may have got before, the restored database never sends."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, models, transaction
from django.utils.translation import gettext as _

from accounts.acts import keep
from accounts.who import Who
from notifications.models import DeviceToken, Notification, WorkerLease
from programs.models import Program, Talk

from .record import said
from .switch import pause

# How much further the lease goes on. An epoch begins twice a second at most, so no worker has come
# that far since the backup: it would have taken fifteen years.
LEAP = 1_000_000_000

# How many numbers are left out, of whatever is known by its number outside of this database: in
# addresses, in messages and in apps. More than a platform gives between two backups.
SKIPPED_IDS = 1_000_000
KNOWN_OUTSIDE: tuple[type[models.Model], ...] = (Program, Talk, Notification, DeviceToken)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done to a database that was put back to an earlier state."""

    cancelled: list[int]  # the numbers of the notifications that were open
    epoch: int  # of the lease, from which the next worker counts on


@transaction.atomic
def restored(*, by: Who, reason: str, now: datetime) -> Restored:
    """Pause, cancel everything that is open, and go on with epochs and numbers not seen before.

    Its cursors stand further back than the sending had come, so whatever it has open would be sent
    again. Doing it once more does no harm. The lease is locked first, as the worker does.
    """
    WorkerLease.objects.all().trust_again(leap=LEAP)
    pause(by=by, reason=reason, now=now)
    open_now = Notification.objects.filter(state__in=Notification.OPEN_STATES).order_by("id")
    cancelled = list(open_now.select_for_update().values_list("id", flat=True))
    text = said(_("Cancelled after a restore by %(who)s"), by, reason)
    Notification.objects.filter(id__in=cancelled).cancel(reason=text, now=now)
    for model in KNOWN_OUTSIDE:
        skip_ids(model._meta.db_table)
    epoch = WorkerLease.objects.aggregate(last=models.Max("epoch", default=0))["last"]
    after = {"cancelled": len(cancelled), "epoch": epoch}
    keep("operator.restored", by=by, reason=reason, after=after, **after)
    return Restored(cancelled, epoch)


def skip_ids(table: str) -> None:
    """Let the next row of the table have a number that no row had before the restore."""
    if connection.vendor == "postgresql":
        sql = """
            SELECT setval(ids, nextval(ids) + %s)
            FROM CAST(pg_get_serial_sequence(%s, 'id') AS regclass) AS ids
        """
    else:
        sql = "UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, [SKIPPED_IDS, table])
