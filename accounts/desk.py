"""The admin site, which opens to staff with a second factor."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from . import second_factor


class DeskSite(AdminSite):
    """Django's admin; what stops sending is outside of it (notifications/admin/asking.py)."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the desk is open to whoever asks."""
        return super().has_permission(request) and second_factor.is_shown(request)
