"""The app of log-ins: django-axes, under a name that says so.

In a module of its own: beside a second configuration Django would not find the one of accounts.
"""

from axes.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

# What the desk shows of axes, which has no Japanese: named here, so that our translations have it.
WORDS = [
    gettext_noop("access failure"),
    gettext_noop("access failures"),
    gettext_noop("access log"),
    gettext_noop("access logs"),
    gettext_noop("Access lock out"),
    gettext_noop("Attempt Time"),
    gettext_noop("HTTP Accept"),
    gettext_noop("IP Address"),
    gettext_noop("Logout Time"),
    gettext_noop("Path"),
    gettext_noop("Session key hash (sha256)"),
    gettext_noop("User Agent"),
    gettext_noop("Username"),
]


class LogInsConfig(AppConfig):  # type: ignore[misc]  # has no types
    """Heads the desk's lists of log-ins."""

    verbose_name = _("Log-ins")
