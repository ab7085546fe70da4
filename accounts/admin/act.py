"""What operators did, on the desk: rows to read, fast with a million of them."""

from typing import Any

from django.contrib import admin
from django.db.models import BigIntegerField, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Act
from radiotalk.uncounted_lists import UncountedListMixin

MAX_ID = BigIntegerField.MAX_BIGINT


@admin.register(Act)
class ActAdmin(UncountedListMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Shows acts; whoever may view them finds those of one account, or of one kind."""

    list_display = ("time", "name", "about", "account_name", "account_id", "address", "reason")
    list_display_links = ("time",)
    ordering = ("-id",)
    search_fields = ("name",)  # shows the field; get_search_results says what is looked for
    search_help_text = _("An account's number, or how an act begins, such as operator.live.")
    actions = None
    show_full_result_count = False
    fields = (
        "time", "name", "about", "account_name", "account_id", "address", "reason", "before",
        "after",
    )  # fmt: skip
    readonly_fields = ("time",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by index: the acts of an account, or those whose names begin like that."""
        term = search_term.strip()
        if term.isdecimal():
            number = int(term)
            of_account = queryset.filter(account_id=number)
            return (of_account if number <= MAX_ID else queryset.none()), False
        return queryset.filter(name__startswith=term) if term else queryset, False

    @admin.display(description=_("at"))
    def time(self, act: Act) -> str:
        """Return when it was, to the second: Django's own format shows minutes."""
        return timezone.localtime(act.at).replace(tzinfo=None).isoformat(" ", "seconds")
