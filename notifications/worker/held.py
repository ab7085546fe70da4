"""The log's line of a notification that an operator must look at; every way to hold one says it."""

import logging

logger = logging.getLogger(__name__)


def tell_held(notification_id: int, reason: str, **about: int) -> None:
    """Log that the worker holds this notification, and why; `about` are its counters, if known."""
    told = {"notification": notification_id, "reason": reason, **about}
    logger.error("notification.held", extra=told)
