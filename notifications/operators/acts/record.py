"""How an act ends: refused with the reason, or written down with who did it and why."""

import logging
from typing import Any

logger = logging.getLogger(__name__)


class Refused(Exception):
    """An operator asked for what cannot be done; the message is for that person."""


def said(what: str, by: str, reason: str) -> str:
    """Return who did what, and why if the operator gave a reason; `what` names %(who)s."""
    told = what % {"who": by}
    return f"{told}: {reason}" if reason else f"{told}."


def logged(act: str, by: str, reason: str, **about: Any) -> None:
    """Write the act into the log."""
    logger.warning("operator.%s", act, extra={"by": by, "why": reason, **about})
