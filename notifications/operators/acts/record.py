"""How an act ends: refused with the reason, or told with who did it and why (accounts/acts.py)."""

from accounts.who import Who


class Refused(Exception):
    """An operator asked for what cannot be done; the message is for that person."""


def said(what: str, by: Who, reason: str) -> str:
    """Return who did what, and why if the operator gave a reason; `what` names %(who)s."""
    told = what % {"who": by.name}
    return f"{told}: {reason}" if reason else f"{told}."
