"""Devices whose listener was erased: their numbers, until the send log has lost them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from radiotalk import clock


class ErasedDevice(models.Model):
    """The number of a device that is gone with its account; nothing else is known of it.

    It is written in the transaction that erases the account. So an erasing that is interrupted goes
    on later, and an answer that was in flight then loses its device as well.
    """

    device_id = models.BigIntegerField(_("device"), primary_key=True)
    at = models.DateTimeField(_("at"), default=clock.by_default)

    class Meta:
        verbose_name = _("erased device")
        verbose_name_plural = _("erased devices")

    def __str__(self) -> str:
        return str(self.device_id)
