"""Lists of tables too large to be counted or sorted: a page, and whether there is a next one."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

# OFFSET reads all the rows that it skips; who looks for older ones filters.
LAST_PAGE = 100


class UncountedPaginator(Paginator):  # type: ignore[type-arg]  # generic for mypy only
    """Knows of the rows up to the first one behind a page, and asks for no others."""

    def __init__(self, rows: QuerySet[Any], per_page: int, *, page: int) -> None:
        super().__init__(rows, per_page)
        self.rows = rows
        self.skipped = (min(max(page, 1), LAST_PAGE) - 1) * per_page

    @cached_property
    def count(self) -> int:
        """Return how many rows there are at least; exact on the last page."""
        behind = self.skipped + self.per_page + 1
        found = len(self.rows.values_list("pk", flat=True)[self.skipped : behind])
        return min(self.skipped + found, LAST_PAGE * self.per_page)


class UncountedChangeList(ChangeList):
    """A list in its one order, which an index serves, that tells no number of results."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the admin's own order; any other (`?o=`) would sort the whole table."""
        return list(self.model_admin.get_ordering(request))

    def get_results(self, request: HttpRequest) -> None:
        """Take the page for the whole, so that no number is shown and no "all 51" is offered."""
        super().get_results(request)
        self.full_result_count = self.result_count = len(self.result_list)


class UncountedListMixin:
    """A list that reads one page and one row, however large the table is."""

    show_facets = admin.ShowFacets.NEVER  # they count
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
            # `page`: a form's choices, as they are scrolled
            page = int(request.GET.get(PAGE_VAR) or request.GET.get("page") or 1)
        except ValueError:
            page = 1
        return UncountedPaginator(queryset, per_page, page=page)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        """Run an action on what is ticked; Django's "select across" would take all there are."""
        ticked = queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))
        answer: HttpResponse | None = super().response_action(request, ticked, *args)  # type: ignore[misc]
        return answer
