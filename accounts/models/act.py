"""What operators did, append-only: rows are written, and never changed or deleted."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from radiotalk import clock


class Act(models.Model):
    """One act of an operator, told without reference to rows that may change or go."""

    at = models.DateTimeField(_("at"), default=clock.by_default)
    name = models.CharField(_("act"), max_length=100)  # of the event: operator.paused
    account_id = models.BigIntegerField(_("account"), null=True)  # none: a command without --as
    account_name = models.CharField(_("name then"), max_length=200)
    address = models.CharField(_("address"), max_length=45, blank=True)  # of IPv6 at most
    about = models.CharField(_("about"), max_length=200, blank=True)  # notification 42
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)

    class Meta:
        verbose_name = _("act")
        verbose_name_plural = _("acts")
        ordering = ["-id"]
        indexes = [models.Index(fields=["account_id", "-id"], name="act_of_account")]

    def __str__(self) -> str:
        return f"{self.name} {self.about}".strip()
