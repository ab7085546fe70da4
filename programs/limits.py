"""How much one user may have: programs, and bytes of recordings.

Who counts and adds holds the lock on the user's account in one transaction, so that requests at
once do not pass the limit together.
"""

from django.conf import settings
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from accounts.lock import lock_account

from .models import Program, Talk


class LimitReachedError(Exception):
    """The user has as much as one may have; the text says how much, and what to do."""


def take_program(owner_id: int) -> None:
    """Lock the owner's account until the transaction ends, and see that there is one program left.

    Raise LimitReachedError when there is none.
    """
    lock_account(owner_id)
    most = settings.PROGRAMS_PER_USER
    if Program.objects.filter(owner=owner_id).order_by()[:most].count() >= most:
        raise LimitReachedError(
            _("You have %(limit)d programs, and nobody may have more: delete one first.")
            % {"limit": most}
        )


def take_storage(owner_id: int) -> None:
    """Lock the owner's account until the transaction ends, and see that all their talks have room.

    Raise LimitReachedError when they have not.
    """
    lock_account(owner_id)
    check_storage(owner_id, more=0)


def check_storage(owner_id: int, *, more: int) -> None:
    """Raise LimitReachedError when the owner's recordings and `more` bytes pass the limit.

    Recordings that were stored before their bytes were kept count as 0.
    """
    most = settings.AUDIO_MAX_BYTES_PER_USER
    talks = Talk.objects.filter(program__owner=owner_id).order_by()
    used = talks.aggregate(bytes=Sum("audio_bytes", default=0))["bytes"]
    if used + more > most:
        raise LimitReachedError(
            _(
                "The recordings of one user may have %(limit)s in all. There is no room for this "
                "one: post a smaller one, or delete a talk first."
            )
            % {"limit": filesizeformat(most)}
        )
