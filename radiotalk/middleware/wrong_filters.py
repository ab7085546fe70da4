"""A list of the admin that is asked for with a filter of no sense is answered 400.

`?title__regex=(` fails only in the database, `?created_at__year=99999` and `?pk__range=1` when the
statement is built. Django answers 400 for other filters that make no sense; these would be a 500.
"""

import traceback

from django.core.exceptions import BadRequest
from django.db import DataError, OperationalError
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

# Where statements are built. The same errors from elsewhere are defects of ours.
BUILDING = "/django/db/models/"
# What SQLite says when Python's `re`, by which Django teaches it REGEXP, refuses the pattern.
REFUSED_BY_SQLITE = "user-defined function raised exception"


class WrongFilterMiddleware(MiddlewareMixin):
    """Looks at what the view of a list raised."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Raise BadRequest for a filter of no sense."""
        if is_list_with_filters(request) and is_of_filters(error):
            raise BadRequest("There is no such filter.") from error
        return None


def is_list_with_filters(request: HttpRequest) -> bool:
    """Return whether a list of the admin is asked for, filtered by its address."""
    page = request.resolver_match
    is_list = page and page.app_name == "admin" and (page.url_name or "").endswith("_changelist")
    return bool(is_list and request.GET)


def is_of_filters(error: Exception) -> bool:
    """Return whether no statement can be made of the filters, or the database refuses a value."""
    if isinstance(error, OperationalError):
        return REFUSED_BY_SQLITE in str(error)
    if isinstance(error, ValueError | TypeError | OverflowError):
        frames = traceback.extract_tb(error.__traceback__)
        return any(BUILDING in frame.filename for frame in frames)
    return isinstance(error, DataError)
