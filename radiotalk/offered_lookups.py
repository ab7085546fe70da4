"""No list of the admin can be filtered by what the list does not offer as a filter.

Django allows `?password__startswith=` on every list whose model has that field: whoever may see the
rows guesses a secret of theirs, character by character, by which rows are listed.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.db.models import Field
from django.http import HttpRequest


class OfferedLookups:
    """Refuses each lookup in a list's address that no filter of this list makes; Django says 400.

    It comes before a ModelAdmin's own class, whose `lookup_allowed` may refuse more.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in offered(self, request) and super().lookup_allowed(  # type: ignore[misc]
            lookup, value, request
        )


def offered(model_admin: Any, request: HttpRequest) -> set[str | None]:
    """Return the parameters that the list's filters make."""
    return {
        name
        for each in model_admin.get_list_filter(request)
        for name in parameters(each, model_admin, request)
    }


def parameters(list_filter: Any, model_admin: Any, request: HttpRequest) -> list[str | None]:
    """Return the parameters of one entry of `list_filter`, which is made as Django makes it."""
    model = model_admin.model
    if callable(list_filter):
        made = list_filter(request, {}, model, model_admin)
    else:
        path, kind = (
            list_filter
            if isinstance(list_filter, list | tuple)
            else (list_filter, admin.FieldListFilter.create)
        )
        field = path if isinstance(path, Field) else get_fields_from_path(model, path)[-1]
        made = kind(field, request, {}, model, model_admin, field_path=str(path))
    expected: list[str | None] = made.expected_parameters()
    return expected
