"""The app that notifies listeners of posted talks."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        # These register themselves, all but `failpoints`.
        from radiotalk import checks as checks_of_the_site  # noqa: F401

        from . import checks, database_session, failpoints, metrics, signals  # noqa: F401

        try:
            failpoints.arm(settings.NOTIFICATIONS_FAILPOINTS)
        except ValueError as error:
            raise ImproperlyConfigured(f"NOTIFICATIONS_FAILPOINTS: {error}") from error
