"""Logs that a notification is held; the worker calls this wherever it holds one."""

import logging

logger = logging.getLogger(__name__)


def tell_held(notification_id: int, reason: str, **about: int) -> None:
    """Log that the worker holds this notification, and why; `about` are its counters, if known."""
    told = {"notification": notification_id, "reason": reason, **about}
    logger.error("notification.held", extra=told)
