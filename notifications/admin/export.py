"""The send log of one notification as CSV, written row by row, however long the log is."""

import csv
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from notifications.models import Delivery, Notification

# The log is read in chunks of so many lines, by key: nobody holds the whole log in memory, and no
# statement stays open while a slow reader takes its time.
CHUNK = 2000

# A spreadsheet takes a cell that begins with one of these for a formula; the wide ones where it is
# set to Japanese.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")


class Echo:
    """A file for csv.writer whose `write` returns the text instead of keeping it."""

    def write(self, value: str) -> str:
        return value


def response(notification: Notification, *, outcome: str = "") -> StreamingHttpResponse:
    """Return the log as a file: all lines, or those of one outcome."""
    writer = csv.writer(Echo())
    lines = (writer.writerow([plain(cell) for cell in row]) for row in rows(notification, outcome))
    name = f"notification-{notification.pk}{f'-{outcome}' if outcome else ''}.csv"
    answer = StreamingHttpResponse(
        # Without this mark a spreadsheet reads the file in the local encoding, not in UTF-8.
        (line for part in (["\N{ZERO WIDTH NO-BREAK SPACE}"], lines) for line in part),
        content_type="text/csv; charset=utf-8",
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def rows(notification: Notification, outcome: str) -> Iterator[list[Any]]:
    """Yield the heading, then the cells of each line, in the order of the device ids."""
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
    yield from map(row, log.filter(device=None).order_by("id").iterator(CHUNK))


def row(line: Delivery) -> list[Any]:
    """Return the cells of one line, with only the last six characters of the token."""
    device = line.device
    deleted = (
        _("(erased)")
        if line.device_id is None
        else _("deleted (%(number)s)") % {"number": line.device_id}
    )
    return [
        device.user.get_username() if device else "",
        device.platform if device else "",
        f"…{device.token_end}" if device else deleted,
        line.outcome, line.error_code, line.attempts, line.at.isoformat(), line.message_id,
        line.note,
    ]  # fmt: skip


def plain(cell: Any) -> str:
    """Return the cell as text that no spreadsheet takes for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text
