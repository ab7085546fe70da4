"""How long a session of the desk lasts: a working day from its log-in, however much it is used."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

from radiotalk import clock


@receiver(user_logged_in)
def end_after_a_working_day(request: Any, **kwargs: Any) -> None:
    """Give the session its end; SESSION_COOKIE_AGE alone would count from its last change.

    A log-in by the API has no session, and gets none.
    """
    session = getattr(request, "session", None)
    if session is not None and SESSION_KEY in session:
        session.set_expiry(clock.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE))
