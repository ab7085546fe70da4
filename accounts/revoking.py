"""Taking API tokens back; each that goes is an event of the log."""

import logging
from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import ApiToken
from .models.api_token import ApiTokenQuerySet
from .who import Who

logger = logging.getLogger(__name__)

MOST_TOKENS = 50  # of one account; of more, the one that was used longest ago goes
NOBODY = Who("")  # the machine itself


def revoke(tokens: ApiTokenQuerySet, *, by: Who, why: str) -> int:
    """Delete the tokens, and return how many they were."""
    going = list(tokens.order_by("id").values_list("id", "user_id"))
    ApiToken.objects.filter(id__in=[number for number, _ in going]).delete()
    for number, account in going:
        who = {"by": by.account_id, "address": by.address}
        extra = {"token": number, "account": account, **who, "why": why}
        logger.info("token.revoked", extra=extra)
    return len(going)


def revoke_beyond_the_most(user: User, *, by: Who) -> None:
    """Delete the account's tokens beyond MOST_TOKENS."""
    own = ApiToken.objects.filter(user=user)
    beyond = own.by_use().values_list("id", flat=True)[MOST_TOKENS:]
    revoke(own.filter(id__in=list(beyond)), by=by, why="too many tokens")


@receiver(post_save, sender=User)
def revoke_what_lets_nobody_in(
    instance: User, created: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    """Delete the tokens that a new password or a deactivation ended.

    They let nobody in already (accounts/models/api_token.py).
    """
    if created or (update_fields and update_fields.isdisjoint({"password", "is_active"})):
        return
    own = ApiToken.objects.filter(user=instance)
    revoke(own.dead(), by=NOBODY, why="the account changed, or the token's end came")
