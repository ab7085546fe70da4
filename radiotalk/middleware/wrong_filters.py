"""A list of the admin that is asked for with a filter's odd value is answered 400.

Django answers so when it sees that while it filters, and to what no filter of the list makes
(offered_lookups.py). Others fail only when the statement is built (a time that in UTC lies before
the year 1) or in the database.
"""

import traceback

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from notifications.database_errors import DATABASE_AWAY

# Where statements are built and executed. What is raised elsewhere is a defect of ours.
STATEMENTS = "/django/db/models/"
# What SQLite says when Python's `re`, by which Django teaches it REGEXP, refuses the pattern.
REFUSED_BY_SQLITE = "user-defined function raised exception"


class WrongFilterMiddleware(MiddlewareMixin):
    """Looks at what the view of a list raised."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Raise BadRequest for a filter of no sense; Django logs it with what it comes from."""
        if is_filtered_list(request) and is_of_statement(error):
            raise BadRequest("There is no such filter.") from error
        return None


def is_filtered_list(request: HttpRequest) -> bool:
    """Return whether a list of the admin is asked for, filtered by its address."""
    page = request.resolver_match
    is_list = page and page.app_name == "admin" and (page.url_name or "").endswith("_changelist")
    return bool(is_list and request.method == "GET" and request.GET)


def is_of_statement(error: Exception) -> bool:
    """Return whether no statement could be made, or the database refused it and is not away."""
    if isinstance(error, DATABASE_AWAY):
        return REFUSED_BY_SQLITE in str(error)
    frames = traceback.extract_tb(error.__traceback__)
    return any(STATEMENTS in frame.filename for frame in frames)
