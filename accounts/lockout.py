"""Which log-ins are refused because others failed before; django-axes asks this handler.

axes' own handler knows one number of failures for all rules, keeps what was typed, and gives every
API client a session. Its tables, its backend, which asks first, and its middleware, which answers,
are used as they are. The tables are in the database, so all web processes count together.

A passkey is no password: axes is not asked then, and nobody is locked out of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil
from typing import Any

from axes.handlers.base import AxesHandler
from axes.models import AccessFailureLog, AccessLog
from axes.signals import user_locked_out
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from radiotalk import clock

from .acts import keep
from .address import address_of
from .names import account_named, counted_name
from .who import on_this_host


@dataclass(frozen=True)
class Bound:
    """So many failures, alike in these columns, within so long a time; then log-ins are refused."""

    alike: tuple[str, ...]
    failures: int
    within: timedelta


# For whoever guesses at one account from one address: 20 an hour.
PAIR = Bound(("username", "ip_address"), 5, timedelta(minutes=15))
# OWASP ASVS allows 100 an hour on one account. Of these, 40 are left for two known addresses.
ACCOUNT = Bound(("username",), 60, timedelta(hours=1))
# For whoever tries one password on many accounts.
ADDRESS = Bound(("ip_address",), 100, timedelta(hours=1))

# An address from which the account was logged in to so lately is bound by PAIR alone, so that
# nobody locks an operator out from elsewhere.
KNOWN_FOR = timedelta(days=30)
# What is counted is an hour old at most; people may want to look at the rest.
FAILURES_KEPT_FOR = timedelta(days=7)


def counted_address(request: HttpRequest) -> str:
    """Return what failures are counted under: an IPv6 client has a whole /64 to come from."""
    address = ip_address(address_of(request) or IPv4Address(0))
    return str(address if address.version == 4 else ip_network((address, 64), False)[0])


def locked_until(username: str, address: str) -> datetime | None:
    """Return when the next log-in is heard, None when it is heard now."""
    columns = {"username": username, "ip_address": address}
    now = clock.now()
    known = AccessLog.objects.filter(**columns, attempt_time__gt=now - KNOWN_FOR).exists()
    ends = []
    for bound in [PAIR] if known else [PAIR, ACCOUNT, ADDRESS]:
        failures = AccessFailureLog.objects.filter(
            **{column: columns[column] for column in bound.alike},
            attempt_time__gt=now - bound.within,
        ).order_by("-attempt_time")
        times = failures.values_list("attempt_time", flat=True)
        ends += [at + bound.within for at in times[bound.failures - 1 : bound.failures]]
    return max(ends, default=None)


def of_django(request: Any) -> Any:
    """Return the request that the middleware sees; DRF's wraps it."""
    return getattr(request, "_request", request)


class Handler(AxesHandler):  # type: ignore[misc]  # has no types
    """Counts failures one by one, as axes' log of failures has them."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Return whether this log-in is refused, and let `answer` know for how long."""
        until = locked_until(counted_name(typed_name(credentials)), request.axes_ip_address)
        of_django(request).locked_until = until
        return until is not None

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        """Keep a failure; a log-in that was refused was none, and does not prolong anything."""
        name = typed_name(credentials)
        if request.axes_locked_out:
            of_django(request).axes_locked_out = True  # the middleware then calls `answer`
            address = request.axes_ip_address
            user_locked_out.send("axes", request=request, username=name, ip_address=address)
            return
        row = AccessFailureLog.objects.create(username=counted_name(name), **told(request))
        AccessFailureLog.objects.filter(pk=row.pk).update(attempt_time=clock.now())

    def user_logged_in(self, sender: Any, request: Any, user: User, **kwargs: Any) -> None:
        """Keep that the account was logged in to from this address: one row for both."""
        about = told(request)
        rows = AccessLog.objects.filter(username=user.username, ip_address=about["ip_address"])
        if not rows.update(**about, attempt_time=clock.now()):
            AccessLog.objects.create(username=user.username, **about)

    def reset_attempts(
        self,
        *,
        ip_address: str | None = None,
        username: str | None = None,
        **kwargs: Any,
    ) -> int:
        """Forget failures, for `manage.py axes_reset_username` and others; return how many."""
        failures = AccessFailureLog.objects.all()
        wanted = {"ip_address": ip_address, "username": username and counted_name(username)}
        for column, value in wanted.items():
            failures = failures.filter(**{column: value}) if value else failures
        account = account_named(username or "")
        about = {"account": account and account.pk, "address": ip_address}
        with transaction.atomic():
            count: int = failures.delete()[0]
            if count:
                keep(
                    "operator.lockout_lifted",
                    by=on_this_host(),
                    about=", ".join(f"{name} {value}" for name, value in about.items() if value),
                )
        return count


def typed_name(credentials: dict[str, Any] | None) -> str:
    """Return what was typed as the account's name."""
    return str((credentials or {}).get("username") or "")


def told(request: Any) -> dict[str, str]:
    """Return what both tables keep of a request."""
    return {
        "ip_address": request.axes_ip_address,
        "user_agent": request.axes_user_agent,
        "path_info": request.axes_path_info,
        "http_accept": request.axes_http_accept,
    }


def answer(request: HttpRequest, refused: HttpResponse, credentials: Any) -> HttpResponse:
    """Return the answer to a log-in that was not heard: JSON below /api/, a page elsewhere."""
    left: timedelta = of_django(request).locked_until - clock.now()
    seconds = max(1, ceil(left.total_seconds()))
    minutes = ceil(seconds / 60)
    detail = ngettext(
        "Too many log-ins failed. Try again in %(minutes)d minute.",
        "Too many log-ins failed. Try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse({"detail": detail}, status=429)
    else:
        context = admin.site.each_context(request) | {"detail": detail}
        response = render(request, "locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def old_failures(now: datetime) -> QuerySet[Any]:
    """Return the failed log-ins that no rule counts any more, and the desk shows no longer."""
    rows: QuerySet[Any] = AccessFailureLog.objects.filter(attempt_time__lt=now - FAILURES_KEPT_FOR)
    return rows


def old_log_ins(now: datetime) -> QuerySet[Any]:
    """Return the log-ins that make no address known any more."""
    rows: QuerySet[Any] = AccessLog.objects.filter(attempt_time__lt=now - KNOWN_FOR)
    return rows
