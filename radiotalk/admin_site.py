"""The admin's site: what every list and form of it has, our own models' and those of packages.

A site's `register` is the one way by which a model comes into the admin, so none can be forgotten.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth import authenticate
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse

from .offered_lookups import OfferedLookups


class Site(admin.AdminSite):
    """Registers each ModelAdmin with OfferedLookups and KeepsEdits before it.

    It opens to staff with a second factor.
    """

    site_url = None  # "View site" would lead back to the desk

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the desk is open to whoever asks.

        What stops sending is outside of it (notifications/admin/asking.py).
        """
        from accounts import second_factor  # when apps are loaded: it needs models

        return super().has_permission(request) and second_factor.is_shown(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Change one's password; accounts/lockout.py counts old ones that are wrong, as log-ins.

        Raise PermissionDenied where it refuses to hear any; its middleware answers then.
        """
        if request.method == "POST":
            old = request.POST.get("old_password", "")
            authenticate(request, username=request.user.get_username(), password=old)
            if getattr(request, "axes_locked_out", False):
                raise PermissionDenied
        return super().password_change(request, extra_context)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        from accounts.kept_edits import KeepsEdits  # when apps are loaded: it needs models

        admin_class = admin_class or admin.ModelAdmin
        names = {"__module__": admin_class.__module__, "__doc__": admin_class.__doc__}
        guarded = type(admin_class.__name__, (OfferedLookups, KeepsEdits, admin_class), names)
        super().register(model_or_iterable, guarded, **options)


class SiteConfig(AdminConfig):
    """Django's admin with this site as `admin.site`."""

    default_site = "radiotalk.admin_site.Site"
