"""Log-ins in the desk: those that failed, and the last one from each address."""

from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from radiotalk.uncounted_lists import UncountedListMixin


@admin.register(AccessFailureLog, AccessLog)
class LogInAdmin(UncountedListMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # for mypy
    """Rows to look at, never to change; no password is among them (accounts/names.py)."""

    list_display = ["attempt_time", "username", "ip_address", "path_info"]
    ordering = ["-id"]
    search_fields = ["username__startswith"]
    search_help_text = _("How a username begins.")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
