"""A page of the admin that is asked for with a value of no sense is answered 400.

Django answers so when it sees that while it filters a list, and to what no filter of the list makes
(offered_lookups.py). Others fail only when the statement is built (a time that in UTC lies before
the year 1; a number of a ticked row, or of an owner, that is none) or in the database.
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


class OddValueMiddleware(MiddlewareMixin):
    """Looks at what the view of a list or of a form raised."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Raise BadRequest for a value of no sense; Django logs it with what it comes from."""
        page = request.resolver_match
        view = (page.url_name or "") if page and page.app_name == "admin" else ""
        is_filtered = view.endswith("_changelist") and request.method == "GET" and request.GET
        if is_filtered and is_of_statement(error):
            raise BadRequest("There is no such filter.") from error
        if view.endswith(("_changelist", "_add", "_change")) and is_unbuilt(error):
            raise BadRequest("There is no such row, or the value of a field is none.") from error
        return None


def is_of_statement(error: Exception) -> bool:
    """Return whether no statement could be made, or the database refused it and is not away."""
    if isinstance(error, DATABASE_AWAY):
        return REFUSED_BY_SQLITE in str(error)
    frames = traceback.extract_tb(error.__traceback__)
    return any(STATEMENTS in frame.filename for frame in frames)


def is_unbuilt(error: Exception) -> bool:
    """Return whether a value is none of its column's, so that the database was not even asked."""
    *_, where = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError | OverflowError) and "/django/db/" in where.filename
