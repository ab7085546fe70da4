"""Acts on devices: send no more to them, or send to them again."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from accounts.acts import keep
from accounts.who import Who
from notifications import reasons
from notifications.models import DeviceToken


@transaction.atomic
def disable_devices(device_ids: Collection[int], *, by: Who, now: datetime) -> int:
    """Send no more to these devices; return how many were enabled before."""
    changed = locked(device_ids)
    rows = DeviceToken.objects.filter(id__in=changed)
    rows.disable(reason=reasons.DISABLED_BY % {"who": by.name}, now=now)
    keep_each("disabled", changed, by)
    return len(changed)


@transaction.atomic
def enable_devices(device_ids: Collection[int], *, by: Who) -> list[int]:
    """Send to these devices again; return which were disabled before.

    Those beyond the number that a user may have stay disabled.
    """
    changed = DeviceToken.objects.filter(id__in=device_ids).with_room()
    DeviceToken.objects.filter(id__in=changed).enable()
    keep_each("enabled", changed, by)
    return changed


def locked(device_ids: Collection[int]) -> list[int]:
    """Return which of the devices are enabled, locked in the order of their ids."""
    rows = DeviceToken.objects.enabled().filter(id__in=device_ids)
    return list(rows.order_by("id").select_for_update().values_list("id", flat=True))


def keep_each(act: str, device_ids: Collection[int], by: Who) -> None:
    """Keep the act for each device, by which it is found."""
    for number in device_ids:
        keep(f"operator.device.{act}", by=by, about=f"device {number}")
