"""Device tokens: where a listener can be reached, and who may not be reached any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from accounts.lock import lock_account
from notifications import reasons
from programs.models import Clip
from radiotalk import clock

from . import id_lookup  # noqa: F401  (registers `id__among`)

# Characters, and for the API bytes: PostgreSQL's unique index takes no token of over 2,704 bytes.
MAX_TOKEN = 1024


class ExistsForEach(Exists):
    """An EXISTS that PostgreSQL asks for row by row, in the order of the rows.

    Without the OFFSET its planner may misjudge the number of the program's clips, join them
    instead, and read a million clips to look at a hundred devices.
    """

    template = "EXISTS(%(subquery)s OFFSET 0)"


def clips_of(program_id: int) -> models.QuerySet[Clip]:
    """Return the clips that make a device's user a listener to be notified."""
    return Clip.objects.filter(listener=OuterRef("user"), program=program_id, muted=False)


class DeviceTokenQuerySet(models.QuerySet["DeviceToken"]):
    def enabled(self) -> DeviceTokenQuerySet:
        """Return the devices that may be sent to."""
        return self.filter(disabled_at=None)

    def registered_by(self, cutoff: datetime) -> DeviceTokenQuerySet:
        """Return the devices that may be sent to and were registered by the cutoff."""
        return self.enabled().filter(created_at__lte=cutoff)

    def audience_of(self, program_id: int, *, cutoff: datetime) -> DeviceTokenQuerySet:
        """Return the targets of a notification, in the order in which they are claimed.

        They are the enabled devices, registered before its cutoff, of listeners who clip the
        program unmuted, as of now. A device comes once however many clips there are.
        """
        return self.registered_by(cutoff).filter(Exists(clips_of(program_id))).order_by("id")

    def audience_one_by_one(self, program_id: int, *, cutoff: datetime) -> DeviceTokenQuerySet:
        """Return the same targets; the database looks at one device after the other, in this order.

        That is faster for few devices, whatever the program's size, and where most devices are
        targets.
        """
        wanted = ExistsForEach(clips_of(program_id))
        return self.registered_by(cutoff).filter(wanted).order_by("id")

    def audience_among(
        self, device_ids: Collection[int], program_id: int, *, cutoff: datetime
    ) -> DeviceTokenQuerySet:
        """Return which of these devices are targets now."""
        return self.filter(id__among=device_ids).audience_one_by_one(program_id, cutoff=cutoff)

    def younger(self) -> DeviceTokenQuerySet:
        """Return a device's younger ones, for a subquery: of its user, on its platform, enabled.

        Of two that were written by one statement, the later row is the younger one.
        """
        at_once = Q(created_at=OuterRef("created_at"), id__gt=OuterRef("id"))
        return self.enabled().filter(
            Q(created_at__gt=OuterRef("created_at")) | at_once,
            user=OuterRef("user"),
            platform=OuterRef("platform"),
        )

    def register(
        self, *, user: AbstractBaseUser, token: str, kind: str, platform: str, now: datetime
    ) -> tuple[DeviceToken, bool]:
        """Return the token's device and whether it is new; a known token moves to `user`.

        The row of a token is never deleted and made again: claims and the send log know the device
        by the row's id. A user's devices are bounded: one more disables the one that was refreshed
        longest ago, so that whoever has a new phone is never locked out.
        """
        known = self.filter(token=token)
        values = {"user": user, "kind": kind, "platform": platform, "refreshed_at": now}
        if known.enabled().filter(user=user.pk).update(**values):
            return known.get(), False
        values |= {"disabled_at": None, "disabled_reason": ""}
        try:
            return self._take(token, values, now=now)
        except IntegrityError:  # registered by somebody else meanwhile
            return self._take(token, values, now=now)

    @transaction.atomic
    def _take(
        self, token: str, values: dict[str, Any], *, now: datetime
    ) -> tuple[DeviceToken, bool]:
        """Make room, and write the token's row; raise IntegrityError if somebody just did."""
        self._make_room(values["user"], token, now=now)
        known = self.filter(token=token)
        if known.update(**values):
            return known.get(), False
        return self.create(token=token, created_at=now, **values), True

    def _make_room(self, user: AbstractBaseUser, token: str, *, now: datetime) -> None:
        """Disable what the user has beyond the bound, once the device of this token is enabled.

        The user's account is locked until the transaction ends. So are these devices and the
        token's, in the order in which `disable_refused` locks devices.
        """
        lock_account(user.pk)
        others = self.enabled().filter(user=user.pk).exclude(token=token)
        latest_first = others.order_by("-refreshed_at", "-id").values_list("id", flat=True)
        limit = settings.NOTIFICATIONS_DEVICES_PER_USER - 1
        surplus = list(latest_first[limit:])
        touched = self.filter(Q(id__in=surplus) | Q(token=token)).order_by("id")
        list(touched.select_for_update(no_key=True).values_list("id"))
        reason = reasons.TOO_MANY_DEVICES % {"limit": limit}
        self.filter(id__in=surplus).disable(reason=reason, now=now)

    def disable(self, *, reason: str, now: datetime) -> int:
        """Stop sending to these devices, and return how many were enabled till now."""
        return self.enabled().update(disabled_at=now, disabled_reason=reason)

    def with_room(self) -> list[int]:
        """Return which of these disabled devices may be enabled within the bound of their users.

        They are the latest refreshed ones; what is enabled stays so. The accounts are locked until
        the transaction ends, and so are these devices, as `_make_room` does.
        """
        disabled = self.filter(disabled_at__isnull=False)
        users = disabled.order_by("user_id").values_list("user_id", flat=True).distinct()
        for user_id in (user_ids := list(users)):
            lock_account(user_id)
        locked = list(disabled.order_by("id").select_for_update().values_list("id", flat=True))
        theirs = DeviceToken.objects.enabled().filter(user__in=user_ids)
        count = Counter(theirs.values_list("user_id", flat=True))
        latest_first = DeviceToken.objects.filter(id__in=locked).order_by("-refreshed_at", "-id")
        chosen = []
        for device_id, user_id in latest_first.values_list("id", "user_id"):
            if count[user_id] < settings.NOTIFICATIONS_DEVICES_PER_USER:
                count[user_id] += 1
                chosen.append(device_id)
        return sorted(chosen)

    def enable(self) -> int:
        """Send to these devices again, and return how many were disabled till now."""
        return self.filter(disabled_at__isnull=False).update(disabled_at=None, disabled_reason="")

    def disable_refused(self, refused: Iterable[SentTo], *, reason: str, now: datetime) -> int:
        """Stop sending to devices that FCM refused, and return how many.

        A device that has another token by now, or was registered again since it was claimed, stays
        enabled: the refusal says nothing about what it is now. No clock is asked.
        """
        claimed = {each.device_id: (each.token, each.refreshed_at) for each in refused}
        with transaction.atomic():
            devices = self.enabled().filter(id__in=claimed).order_by("id").select_for_update()
            rows = devices.values_list("id", "token", "refreshed_at")
            same = [device_id for device_id, *now_is in rows if tuple(now_is) == claimed[device_id]]
            return self.filter(id__in=same).disable(reason=reason, now=now)


class SentTo(Protocol):
    """A device as it was when it was sent to."""

    @property
    def device_id(self) -> int: ...
    @property
    def token(self) -> str: ...
    @property
    def refreshed_at(self) -> datetime | None: ...


class DeviceToken(models.Model):
    """One installation of an app, known to FCM by its token."""

    class Kind(models.TextChoices):
        """What FCM calls the target: FCM is moving from tokens to Firebase installation IDs."""

        TOKEN = "token", _("registration token")
        FID = "fid", _("Firebase installation ID")

    class Platform(models.TextChoices):
        ANDROID = "android", "Android"
        IOS = "ios", "iOS"
        WEB = "web", _("Web")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="devices",
        db_index=False,  # device_of_user serves it
    )
    token = models.CharField(_("token"), max_length=MAX_TOKEN, unique=True)
    kind = models.CharField(_("kind"), max_length=5, choices=Kind, default=Kind.TOKEN)
    platform = models.CharField(
        _("platform"), max_length=7, choices=Platform, default=Platform.ANDROID
    )
    created_at = models.DateTimeField(_("created at"), default=clock.by_default)
    refreshed_at = models.DateTimeField(
        _("refreshed at"), default=clock.by_default, help_text=_("When the app last registered it.")
    )
    disabled_at = models.DateTimeField(_("disabled at"), null=True, blank=True)
    disabled_reason = models.CharField(_("disabled because"), max_length=200, blank=True)

    objects = DeviceTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ["-id"]
        permissions = [("send_test", "Can send a test to their own device")]
        indexes = [
            # The operators' list by platform, newest first.
            models.Index(fields=["platform", "-id"], name="device_by_platform"),
            # The operators' list by freshness, in that order.
            models.Index(fields=["-refreshed_at", "-id"], name="device_by_freshness"),
            # The operators' list of disabled devices by reason, newest first.
            models.Index(
                fields=["disabled_reason", "-id"],
                condition=Q(disabled_at__isnull=False),
                name="device_disabled",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(disabled_at__isnull=False) & ~Q(disabled_reason__startswith="FCM: "),
                name="device_disabled_by_hand",
            ),
            # The operators' list of devices with an installation ID, which are few.
            models.Index(fields=["-id"], condition=Q(kind="fid"), name="device_with_fid"),
            # The devices of a listener. The index alone says which of them may be sent to
            # (worker/repository/candidates.py).
            models.Index(fields=["user", "disabled_at", "created_at", "id"], name="device_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.get_platform_display()} …{self.token_end}"

    @property
    def token_end(self) -> str:
        """Return the six characters by which people may know the token."""
        return self.token[-6:]
