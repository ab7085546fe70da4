"""The sessions of the desk: each lasts a working day from its log-in, however much it is used."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
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


def sessions_of(account: User) -> QuerySet[Session]:
    """Return the account's sessions.

    Only a session itself says whose it is. They are few: apps use tokens.
    """
    keys = [
        session.session_key
        for session in Session.objects.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(account.pk)
    ]
    return Session.objects.filter(session_key__in=keys)
