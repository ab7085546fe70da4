"""A person is forgotten: what is left of an account is nothing that names anybody.

    1. What waits to be sent of their programs is cancelled.
    2. Talks go, with their recordings and what notifications said of them; then the clips.
    3. The account goes, with its devices and whatever is left, in one transaction.
    4. The send log loses the devices. Its lines stay, so that all counts stay true.

Each step is a short transaction of its own, so nobody waits for a large account. Whoever is
interrupted before the third begins anew; after it `manage.py prune` does the rest.

The third locks in one order, as who uploads does: programs by id, the account, devices by id.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.acts import keep
from accounts.managing import is_or_was_operator
from accounts.sessions import sessions_of
from accounts.who import Who
from notifications import locks
from notifications.models import (
    AnsweredForm,
    Delivery,
    DeviceToken,
    ErasedDevice,
    Notification,
)
from notifications.models.delivery import LATEST_ANSWER
from programs.models import Clip, Program, Talk

from . import acts, personal

logger = logging.getLogger(__name__)

STEP_TALKS = 100  # a transaction: each has a file, and rows that point to it
STEP_ROWS = 5_000  # a transaction of rows that are only a few bytes each

TRIES = 5  # a further one only when somebody has just added a program

ERASED = "(erased)"  # in place of a name in the log of the admin
OWNER = Who("its owner")  # by the API; it is told in the reason of what is cancelled


class Step(NamedTuple):
    """How much one transaction erased, of what."""

    what: str
    rows: int


def objection(user: User) -> str:
    """Return why the account may not be erased, for people; "" when it may."""
    if is_or_was_operator(user):
        return _(
            "Account %(name)s is or was an operator's: what operators did stays told. "
            "Deactivate it instead."
        ) % {"name": user.username}
    return ""


def erase(user: User, *, by: Who = OWNER, now: datetime) -> Iterator[Step]:
    """Erase the account, and yield after each step; raise acts.Refused for an operator's."""
    if refusal := objection(user):
        raise acts.Refused(refusal)
    yield from cancel_notifications(user, by=by, now=now)
    while count := erase_talks(user):
        yield Step("talks", count)
    for clips in (Clip.objects.filter(program__owner=user), Clip.objects.filter(listener=user)):
        while count := delete_some(clips):
            yield Step("clips", count)
    erase_account(user, by=by, now=now)
    logger.warning("account.erased", extra={"account": user.pk})
    yield Step("account", 1)
    yield from forget_devices(now=now)


def cancel_notifications(user: User, *, by: Who, now: datetime) -> Iterator[Step]:
    """Cancel what is still to be sent of the account's programs."""
    still_open = Notification.objects.filter(
        talk__program__owner=user, state__in=Notification.OPEN_STATES
    )
    for notification_id in list(still_open.order_by("id").values_list("id", flat=True)):
        with suppress(acts.Refused):  # it has ended meanwhile
            acts.cancel(notification_id, by=by, reason="", now=now)
            yield Step("notifications cancelled", 1)


@transaction.atomic
def erase_talks(user: User) -> int:
    """Erase a step's worth of talks with what was said of them; return how many."""
    talks = Talk.objects.filter(program__owner=user).order_by("id")[:STEP_TALKS]
    ids = list(talks.values_list("id", flat=True))
    forget_texts(Notification.objects.filter(talk__in=ids))
    forget_in_the_admins_log(Talk, ids)
    Talk.objects.filter(id__in=ids).delete()  # the recordings go on commit (programs/files.py)
    return len(ids)


def delete_some(rows: QuerySet[Any]) -> int:
    """Delete a step's worth of rows, and return how many."""
    ids = list(rows.order_by("id").values_list("id", flat=True)[:STEP_ROWS])
    with transaction.atomic():
        forget_in_the_admins_log(rows.model, ids)
        rows.model._default_manager.filter(id__in=ids).delete()
    return len(ids)


def erase_account(user: User, *, by: Who = OWNER, now: datetime) -> None:
    """Erase the account's row with all that is left, in one transaction.

    What others add at this moment waits for the locks, and then finds the account gone. Raise
    acts.Refused when it has become an operator's.
    """
    for _try in range(TRIES):
        with transaction.atomic():
            titles = lock(user)
            if titles is not None:
                erase_locked(user, titles, by=by, now=now)
                return
    raise acts.Refused(
        _("Account %(name)s gets new programs all the time: erase it again.")
        % {"name": user.username}
    )


def lock(user: User) -> dict[int, str] | None:
    """Lock the account's programs, then the account; return the programs' titles by id.

    Return None when a program was added in between: it would be locked after the account. From then
    on nobody adds one. Raise acts.Refused for an account that is gone, or an operator's.
    """
    programs = Program.objects.filter(owner=user.pk).order_by("id")
    titles = dict(programs.select_for_update().values_list("id", "title"))
    locked = User.objects.select_for_update().filter(pk=user.pk).first()
    if locked is None:
        raise acts.Refused(_("Account %(name)s is erased already.") % {"name": user.username})
    if refusal := objection(locked):
        raise acts.Refused(refusal)
    return None if programs.exclude(id__in=titles).exists() else titles


def erase_locked(user: User, titles: dict[int, str], *, by: Who, now: datetime) -> None:
    """Erase the account that is locked; its devices are remembered by number alone."""
    while erase_talks(user):
        pass  # those that were posted meanwhile
    forget_texts(Notification.objects.filter(talk=None).filter(whose(titles)))
    locked = DeviceToken.objects.filter(user=user.pk).order_by("id").select_for_update()
    devices = list(locked.values_list("id", flat=True))
    ErasedDevice.objects.bulk_create(
        (ErasedDevice(device_id=device_id, at=now) for device_id in devices), ignore_conflicts=True
    )
    forget_in_the_admins_log(Program, titles)
    forget_in_the_admins_log(DeviceToken, devices)
    forget_in_the_admins_log(User, [user.pk])
    forget_clips_in_the_admins_log(user)
    for tries in personal.log_ins(user):
        tries.delete()
    sessions_of(user).delete()
    User.objects.filter(pk=user.pk).delete()
    if by != OWNER:
        keep("operator.user_erased", by=by, about=f"account {user.pk}")


def whose(titles: dict[int, str]) -> Q:
    """Return which notifications were of these programs, of those whose talks are gone already.

    What never counted for a program's caps has nothing but its title to tell by.
    """
    return Q(counted_for__in=titles) | Q(counted_for=None, title__in=set(titles.values()))


def forget_texts(notifications: QuerySet[Notification]) -> None:
    """Forget what notifications said, also in the list of what operators were asked."""
    locks.wait_patiently()
    locked = notifications.order_by("id").select_for_update(of=("self",))
    ids = list(locked.values_list("id", flat=True))
    forget_in_the_admins_log(Notification, ids)
    Notification.objects.filter(id__in=ids).erase_texts()


def forget_in_the_admins_log(model: type[Model], ids: Collection[int]) -> None:
    """Take the names of these objects out of what the admin's users did to them."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model), object_id__in=map(str, ids)
    ).exclude(object_repr=ERASED)
    for name in set(entries.values_list("object_repr", flat=True)):
        for form in AnsweredForm.objects.filter(asked__endswith=f": {name}"):
            form.asked = form.asked.removesuffix(name) + ERASED
            form.save(update_fields=["asked"])
    entries.update(object_repr=ERASED, change_message="")


def forget_clips_in_the_admins_log(user: User) -> None:
    """Take the listener's name out of what was done to clips that are gone already."""
    clips = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Clip),
        object_repr__startswith=f"{user.get_username()} → ",
    )
    clips.update(object_repr=ERASED, change_message="")


# --- The send log ---------------------------------------------------------------------------------


def forget_devices(*, now: datetime) -> Iterator[Step]:
    """Take devices of erased accounts out of the log, wherever no answer is to come any more."""
    for device_id in list(ErasedDevice.objects.order_by("at").values_list("pk", flat=True)):
        lines = Delivery.objects.filter(device=device_id)
        answered = lines.answered(now=now).order_by("id").values_list("id", flat=True)
        while ids := list(answered[:STEP_ROWS]):
            yield Step(
                "lines of the send log", Delivery.objects.filter(id__among=ids).lose_device()
            )
    left = Delivery.objects.filter(device=OuterRef("pk"))
    ErasedDevice.objects.filter(~Exists(left), Q(at__lt=now - LATEST_ANSWER)).delete()
