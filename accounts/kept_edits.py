"""What is added, changed and deleted by the admin's own forms is an act of an operator, too.

Django's log of the admin is deleted together with its user; the act stays. It names what was
edited by number, since acts outlive the people whose names the rows carry.

A receiver of LogEntry's `post_save` would miss what is deleted in one go (Django writes that by
bulk_create), and would not know the address.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.http import HttpRequest

from .acts import keep
from .who import operator


class KeepsEdits:
    """Makes a ModelAdmin keep what its forms do, whenever Django writes that into its own log."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        keep_edit("added", request, obj, message)
        entry: LogEntry = super().log_addition(request, obj, message)  # type: ignore[misc]
        return entry

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        keep_edit("changed", request, obj, message)
        entry: LogEntry = super().log_change(request, obj, message)  # type: ignore[misc]
        return entry

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> list[LogEntry]:
        for row in queryset:
            keep_edit("deleted", request, row)
        entries: list[LogEntry] = super().log_deletions(request, queryset)  # type: ignore[misc]
        return entries


def keep_edit(edit: str, request: HttpRequest, row: Model, message: Any = None) -> None:
    """Keep one edit; `message` is which fields were set, as Django tells it."""
    about = f"{row._meta.model_name} {row.pk}"
    keep(f"operator.admin.{edit}", by=operator(request), about=about, after=message)
