"""The second factor of staff: whether a session has shown one, how lately, and where it is asked.

allauth keeps in the session how and when somebody authenticated. A passkey counts as the second
factor, since a fingerprint, a face or a PIN unlocks it; a password alone never does.
"""

import time
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

# allauth's names of the methods.
PASSWORD, SECOND_FACTOR = "password", "mfa"


def is_shown(request: HttpRequest) -> bool:
    """Return whether this session has shown a second factor, or needs none."""
    return not settings.STAFF_SECOND_FACTOR or bool(ages(request, SECOND_FACTOR))


def is_fresh(request: HttpRequest) -> bool:
    """Return whether a second factor was shown in the last five minutes, or none is needed."""
    return not settings.STAFF_SECOND_FACTOR or is_recent(request, SECOND_FACTOR)


def may_change_factors(request: HttpRequest) -> bool:
    """Return whether whoever asks has just shown the best that the account has.

    Otherwise a stolen session and the password would be enough to add a passkey of the thief's.
    """
    return is_recent(request, SECOND_FACTOR if is_mfa_enabled(request.user) else PASSWORD)


def is_recent(request: HttpRequest, method: str) -> bool:
    """Return whether somebody authenticated by this method lately.

    The clock of another web host may be ahead of ours, so its log-ins may seem to lie ahead: one
    that lies minutes ahead counts like one that lies as many minutes back.
    """
    lately = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(abs(age) < lately for age in ages(request, method))


def ages(request: HttpRequest, method: str) -> list[float]:
    """Return how many seconds ago this session authenticated by the method, each time."""
    records: list[dict[str, Any]] = get_authentication_records(request, request.user)
    return [time.time() - record["at"] for record in records if record["method"] == method]


def asked_at(request: HttpRequest, *, then: str) -> str:
    """Return the address where the second factor is shown, and which leads on to `then`.

    Whoever has none yet is led to where one is set up.
    """
    if not is_mfa_enabled(request.user):
        return reverse("mfa_index")
    best, *_others = get_adapter().get_reauthentication_methods(request.user)
    return f"{best['url']}?{urlencode({'next': then})}"
