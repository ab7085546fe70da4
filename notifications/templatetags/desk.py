"""How the desk's templates write numbers, times, lengths of time and reasons."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from notifications import reasons
from radiotalk.clock import now

if TYPE_CHECKING:
    from notifications.admin.start import StartPage

register = template.Library()

register.filter("said", reasons.said)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@register.filter
def number(value: int | None) -> str:
    """Return a number with commas between thousands; a dash for one that is not known."""
    return "–" if value is None else f"{value:,}"


@register.filter
def percent(value: int | None) -> str:
    """Return a share in per cent; an ellipsis for one that is not known yet."""
    return "…" if value is None else f"{value} %"


@register.filter
def span(length: timedelta | None) -> str:
    """Return a length of time in its two largest units; under 10 s to the hundredth second."""
    if length is None:
        return "–"
    length = max(length, timedelta())
    if length < MINUTE:
        seconds = length.total_seconds()
        return _("%(seconds)s s") % {"seconds": f"{seconds:.2f}" if seconds < 10 else int(seconds)}
    if length < HOUR:
        minutes, seconds = divmod(int(length.total_seconds()), 60)
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds}
    if length < DAY:
        hours, seconds = divmod(int(length.total_seconds()), 3600)
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": seconds // 60}
    return _("%(days)d d %(hours)d h") % {"days": length.days, "hours": length.seconds // 3600}


@register.filter
def clock(at: datetime | None, precision: str = "seconds") -> SafeString | str:
    """Return a time of day in the site's time zone, with its date unless that is today."""
    if at is None:
        return "–"
    local = timezone.localtime(at)
    words = local.strftime("%H:%M:%S" if precision != "minutes" else "%H:%M")
    if precision == "milliseconds":
        words += f".{local.microsecond // 1000:03}"
    if local.date() != timezone.localdate():
        words = f"{local:%Y-%m-%d} {words}"
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), words)


@register.simple_tag
def start_page() -> "StartPage":
    """Return what the start page shows; its template alone uses this tag."""
    from notifications.admin.start import start_page as page  # the admin is loaded by now

    return page(now=now())
