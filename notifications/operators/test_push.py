"""A test push to an operator's own device: asked for here, sent by the worker, which has the key.

It is real even in a dry run, and the send log knows nothing of it.
"""

import time
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.acts import keep
from accounts.who import Who
from notifications.models import DeviceToken, TestPush

# The worker looks at each tick of a second, and FCM answers in a quarter of one.
PATIENCE_SECONDS = 3.0
LOOK_SECONDS = 0.5


@transaction.atomic
def request(
    device: DeviceToken, *, form: UUID, by: Who, reason: str = "", now: datetime
) -> TestPush:
    """Return the test that a worker finds at its next tick; the act is kept with it.

    A form that is answered once more raises IntegrityError: one act is one POST.
    """
    keep("operator.test", by=by, reason=reason, about=f"device {device.pk}")
    text = _("A test by %(who)s at %(time)s UTC.") % {"who": by.name, "time": f"{now:%H:%M:%S}"}
    return TestPush.objects.create(
        pk=form, device=device, by=by.name, by_id=by.account_id, text=text, requested_at=now
    )


def wait_for_the_end(test: TestPush) -> None:
    """Wait a moment for what comes of the test; it may come later."""
    until = time.monotonic() + PATIENCE_SECONDS
    while test.is_going_on and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        test.refresh_from_db(fields=["state", "code"])
