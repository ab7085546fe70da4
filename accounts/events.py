"""The events of the log about who came in, who did not, and who left."""

import logging
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from .address import address_of
from .names import account_named

logger = logging.getLogger(__name__)


def whence(request: Any) -> dict[str, str]:
    """Return where a log-in came from, and by which door."""
    if request is None:
        return {}
    door = "API" if request.path.startswith("/api/") else "desk"
    return {"address": address_of(request), "door": door}


def whose(account: User | None) -> dict[str, Any]:
    """Return who it is about. What is no account's name may be a password, and is not told."""
    if account is None:
        return {"account": "unknown"}
    return {"account": account.pk, "account_name": account.username}


@receiver(user_logged_in)
def log_in_succeeded(request: Any, user: User, **kwargs: Any) -> None:
    logger.info("login.succeeded", extra=whose(user) | whence(request))


@receiver(user_logged_out)
def logged_out(request: Any, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        logger.info("logout", extra=whose(user) | whence(request))


@receiver(user_login_failed)
def log_in_failed(credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
    """Log a failure; one that axes refused is told by the receiver below."""
    if not getattr(request, "axes_locked_out", False):
        account = account_named(str(credentials.get("username") or ""))
        logger.warning("login.failed", extra=whose(account) | whence(request))


@receiver(user_locked_out)
def locked_out(request: Any, username: str, **kwargs: Any) -> None:
    logger.warning("login.locked_out", extra=whose(account_named(username)) | whence(request))
