"""The send log of one notification as CSV, row by row, however long it is."""

import csv
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from notifications.models import Delivery, Notification

# Read by key, a chunk at a time: neither we nor the database hold the whole log, and no statement
# is open while a slow reader takes its time.
CHUNK = 2000

# A cell that begins with one of these is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Echo:
    """A file for csv.writer that hands back what is written."""

    def write(self, value: str) -> str:
        return value


def response(notification: Notification, *, outcome: str = "") -> StreamingHttpResponse:
    """Return the log as a file, of one outcome or of all."""
    writer = csv.writer(Echo())
    lines = (writer.writerow([plain(cell) for cell in row]) for row in rows(notification, outcome))
    name = f"notification-{notification.pk}{f'-{outcome}' if outcome else ''}.csv"
    answer = StreamingHttpResponse(
        # A spreadsheet takes a file without this mark for one of the local encoding.
        (line for part in (["\N{ZERO WIDTH NO-BREAK SPACE}"], lines) for line in part),
        content_type="text/csv; charset=utf-8",
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def rows(notification: Notification, outcome: str) -> Iterator[list[Any]]:
    """Yield the heading, then each line, in the order of the devices."""
    yield [
        _("listener"), _("platform"), _("token"), _("outcome"), _("error code"), _("attempts"),
        _("at"), _("FCM's message id"), _("note"),
    ]  # fmt: skip
    log = Delivery.objects.filter(notification=notification).select_related("device__user")
    if outcome:
        log = log.filter(outcome=outcome)
    last: int | None = 0
    while chunk := list(log.filter(device__gt=last).order_by("device_id")[:CHUNK]):
        yield from map(row, chunk)
        last = chunk[-1].device_id


def row(line: Delivery) -> list[Any]:
    """Return the cells of one line; of a token its last six characters."""
    device = line.device
    deleted = _("deleted (%(number)s)") % {"number": line.device_id}
    return [
        device.user.get_username() if device else "",
        device.platform if device else "",
        f"…{device.token_end}" if device else deleted,
        line.outcome, line.error_code, line.attempts, line.at.isoformat(), line.message_id,
        line.note,
    ]  # fmt: skip


def plain(cell: Any) -> str:
    """Return a cell that no spreadsheet computes."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text
