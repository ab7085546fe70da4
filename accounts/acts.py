"""Keeps what an operator did: one row that nobody can change, and one line in the log.

Desk, commands and whatever else an operator can do call `keep` in the transaction of the act, so
that there is no act without its row, and no row of an act that was taken back.
"""

import logging
from typing import Any

from .models import Act
from .who import Who

logger = logging.getLogger(__name__)


def keep(
    event: str,
    *,
    by: Who,
    reason: str = "",
    about: str = "",
    before: Any = None,
    after: Any = None,
    **figures: Any,
) -> None:
    """Write the act into the table of acts and into the log.

    `before` and `after` are what the act changed, as JSON takes it; `figures` are for the log.
    """
    Act.objects.create(
        name=event,
        account_id=by.account_id,
        account_name=by.name,
        address=by.address,
        about=about,
        reason=reason,
        before=before,
        after=after,
    )
    known = {"account": by.account_id, "address": by.address, "about": about}
    told = {name: value for name, value in known.items() if value}
    logger.warning(event, extra={"by": by.name, "why": reason, **told, **figures})
