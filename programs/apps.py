"""The app of programs, talks and clips."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProgramsConfig(AppConfig):
    name = "programs"
    verbose_name = _("Programs")

    def ready(self) -> None:
        from . import files  # noqa: F401  (its receiver deletes a recording with its talk)
