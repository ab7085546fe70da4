"""Lists in the admin for tables too large to be counted or sorted.

A list shows one page and whether there is a next one; it gives no number of rows and no choice of
order. The work is the same however large the table is.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

# The database reads all the rows that OFFSET skips, so the pages end here; filters find older rows.
LAST_PAGE = 100


class UncountedPaginator(Paginator):  # type: ignore[type-arg]  # generic for mypy only
    """Reads the rows of one page and the first row behind it, and counts none beyond."""

    def __init__(self, rows: QuerySet[Any], per_page: int, *, page: int) -> None:
        super().__init__(rows, per_page)
        self.rows = rows
        self.skipped = (min(max(page, 1), LAST_PAGE) - 1) * per_page

    @cached_property
    def count(self) -> int:
        """Return the least number of rows there can be; on the last page it is the number."""
        behind = self.skipped + self.per_page + 1
        found = len(self.rows.values_list("pk", flat=True)[self.skipped : behind])
        return min(self.skipped + found, LAST_PAGE * self.per_page)


class UncountedChangeList(ChangeList):
    """A list in the one order that an index serves, without a number of results."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the admin's own order and ignore `?o=`, which would sort the whole table."""
        return list(self.model_admin.get_ordering(request))

    def get_results(self, request: HttpRequest) -> None:
        """Report the page's length as the total: no count of the table, no "Show all"."""
        super().get_results(request)
        self.full_result_count = self.result_count = len(self.result_list)


class UncountedListMixin:
    """Makes the list of a ModelAdmin an uncounted one."""

    show_facets = admin.ShowFacets.NEVER  # facets show counts
    list_max_show_all = 0
    list_per_page = 50
    sortable_by: Any = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedChangeList

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        per_page: int,
        *args: Any,
        **kwargs: Any,
    ) -> UncountedPaginator:
        try:
            # `p` is a list's page; `page` is that of an autocomplete field's choices.
            page = int(request.GET.get(PAGE_VAR) or request.GET.get("page") or 1)
        except ValueError:
            page = 1
        return UncountedPaginator(queryset, per_page, page=page)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        """Run the action on the ticked rows alone; "select across" would take the whole table."""
        ticked = queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))
        answer: HttpResponse | None = super().response_action(request, ticked, *args)  # type: ignore[misc]
        return answer
