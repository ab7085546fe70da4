"""The events of the log about second factors; one that was set up counts as shown."""

import logging
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.dispatch import receiver
from django.http import HttpRequest

from .address import address_of

logger = logging.getLogger(__name__)

Type = Authenticator.Type


def about(request: HttpRequest, user: User, authenticator: Authenticator) -> dict[str, Any]:
    """Return whose second factor it is, of which kind, and where the request came from."""
    return {"account": user.pk, "kind": authenticator.type, "address": address_of(request)}


@receiver(signals.authenticator_added)
def added(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """Log it; whoever set up an app or a passkey has just used it, and is not asked again."""
    logger.info("second_factor.added", extra=about(request, user, authenticator))
    if authenticator.type != Type.RECOVERY_CODES:
        record_authentication(
            request, user, "mfa", id=authenticator.pk, type=str(authenticator.type)
        )


@receiver(signals.authenticator_removed)
def removed(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    logger.warning("second_factor.removed", extra=about(request, user, authenticator))


@receiver(signals.authenticator_reset)
def renewed(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    logger.info("second_factor.codes_renewed", extra=about(request, user, authenticator))


@receiver(signals.authenticator_used)
def used(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    if authenticator.type == Type.RECOVERY_CODES:
        logger.warning(
            "second_factor.recovery_code_used", extra=about(request, user, authenticator)
        )
    else:
        logger.info("second_factor.used", extra=about(request, user, authenticator))


@receiver(signals.authentication_failed)
def failed(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    logger.warning("second_factor.failed", extra=about(request, user, authenticator))
