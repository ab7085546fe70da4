"""Batches: whom a worker claimed at once."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from notifications.models import Batch

from .base import UncountedAdmin, exact
from .filters import NotificationFilter


@admin.register(Batch)
class BatchAdmin(UncountedAdmin):
    list_display = ("id", "notification", "state", "size", "claimed", "finished", "worker")
    list_select_related = ("notification",)
    list_filter = (NotificationFilter, "state")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        """Return the rows without their targets, which only the page of one batch reads."""
        rows: QuerySet[Batch] = super().get_queryset(request)
        return rows.defer("targets")

    claimed = exact(Batch, "claimed_at")
    finished = exact(Batch, "finished_at")
