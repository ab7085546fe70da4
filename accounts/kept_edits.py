"""What is added, changed and deleted by the admin's own forms is an act of an operator, too.

Django's log of the admin is deleted together with its user; the act stays. It names what was
edited by number, since acts outlive the people whose names the rows carry.

A receiver of LogEntry's `post_save` would miss what is deleted in one go (Django writes that by
bulk_create), and would not know the address.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest

from .acts import keep
from .who import operator

LONGEST = 200  # characters that are kept of a text

# Fields of which no value is kept: secrets, and what names a person, or is their own words, since
# they may ask to be forgotten and an act cannot be changed.
UNTOLD = re.compile(
    "password|token|secret|key|^(username|first_name|last_name|email|title|description)$"
)
CHANGED = "changed"  # instead of the value


class Edit(list[Any]):
    """Django's message about a form, which is a list, with the values before and after."""

    def __init__(self, message: Iterable[Any], form: BaseForm, *, add: bool) -> None:
        super().__init__(message)
        names = list(form.fields) if add else form.changed_data
        before = {} if add else told(names, form.initial)
        self.before = {name: value for name, value in before.items() if value != CHANGED}
        self.after = told(names, form.cleaned_data)


class KeepsEdits:
    """Makes a ModelAdmin keep what its forms do, whenever Django writes that into its own log."""

    def construct_change_message(
        self, request: HttpRequest, form: BaseForm, formsets: Any, add: bool = False
    ) -> Edit:
        """Return what Django writes into its log, by which the values come to `log_…`."""
        message = super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]
        return Edit(message, form, add=add)

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
    """Keep one edit, with the values that a form's message has."""
    about = f"{row._meta.model_name} {row.pk}"
    before, after = (message.before, message.after) if isinstance(message, Edit) else (None, None)
    keep(
        f"operator.admin.{edit}",
        by=operator(request),
        about=about,
        before=before or None,
        after=after or None,
    )


def told(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of these fields as they are kept."""
    return {name: CHANGED if UNTOLD.search(name) else as_json(values.get(name)) for name in names}


def as_json(value: Any) -> Any:
    """Return a field's value as JSON takes it: rows by their numbers, a file not at all."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value[:LONGEST]
        case date():
            return value.isoformat()
        case Model():
            return value.pk
        case list() | QuerySet():
            return sorted(row.pk for row in value)
    return CHANGED
