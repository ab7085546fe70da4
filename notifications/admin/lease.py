"""The workers: which one is active, which ones wait, and their last sign of life."""

from django.contrib import admin

from notifications.models import SendingMinute, Standby, WorkerLease

from .base import ReadOnlyAdmin, exact


@admin.register(WorkerLease)
class WorkerLeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "epoch", "heartbeat", "expires")

    heartbeat = exact(WorkerLease, "heartbeat_at")
    expires = exact(WorkerLease, "expires_at")


@admin.register(Standby)
class StandbyAdmin(ReadOnlyAdmin):
    list_display = ("holder", "since_shown", "heartbeat")

    since_shown = exact(Standby, "since")
    heartbeat = exact(Standby, "heartbeat_at")


@admin.register(SendingMinute)
class SendingMinuteAdmin(ReadOnlyAdmin):
    list_display = ("minute_shown", *SendingMinute.COUNTED, "other")
    ordering = ("-minute",)

    minute_shown = exact(SendingMinute, "minute", "minutes")
