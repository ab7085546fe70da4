"""Accounts and groups in the desk: who manages them gives no more than they have."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ManyToManyField, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from radiotalk.uncounted_lists import UncountedListMixin

from .. import second_factor
from ..managing import groups_within, is_or_was_operator, may_manage, permissions_of

MOST_STAFF = 1000  # accounts that the filter by staff lists

# Pages that nobody opens only to look: they ask for a fresh factor before anything is typed.
ACTING = ("_add", "_delete", "_password_change")

admin.site.unregister([User, Group])


class StaffFilter(admin.SimpleListFilter):
    """Lists the staff: their few ids are read once, since no index serves `is_staff`."""

    title = _("staff")
    parameter_name = "staff"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        staff = User.objects.filter(is_staff=True).order_by()
        return queryset.filter(id__in=list(staff.values_list("id", flat=True)[:MOST_STAFF]))


class FreshFactorMixin:
    """Whoever changes accounts and groups has just shown a second factor; looking needs none.

    Otherwise a stolen session would make an account of the thief's own, with a factor of its own.
    """

    def get_urls(self) -> list[URLPattern]:
        """Return Django's pages; each asks for a fresh factor before it changes anything."""
        pages: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        for page in pages:
            acts = (page.name or "").endswith(ACTING)
            page.callback = with_fresh_factor(page.callback, acts=acts)
        return pages

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Return the form; where the factor is old it says so before anything is typed."""
        may = self.has_change_permission(request, kwargs.get("obj"))  # type: ignore[attr-defined]
        if request.method == "GET" and may and not second_factor.is_fresh(request):
            prove = second_factor.asked_at(request, then=request.get_full_path())
            told = _('To change anything here, <a href="{}">show your second factor</a> first.')
            messages.info(request, format_html(str(told), prove))
        answer: HttpResponse = super().render_change_form(  # type: ignore[misc]
            request, context, *args, **kwargs
        )
        return answer


def with_fresh_factor(view: Callable[..., Any], *, acts: bool) -> Callable[..., Any]:
    """Return the view; before a POST, and before a page that `acts`, an old factor is renewed."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if (
            (request.method != "POST" and not acts)
            or not admin.site.has_permission(request)
            or second_factor.is_fresh(request)
        ):
            answer: HttpResponseBase = view(request, *args, **kwargs)
            return answer
        if request.method == "POST":
            told = _("Nothing was changed: show your second factor, and send the form again.")
            messages.warning(request, told)
        here = request.get_full_path()
        return HttpResponseRedirect(second_factor.asked_at(request, then=here))

    return asked


class GivingMixin:
    """A form offers, and takes, only the permissions and groups that its user has."""

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelMultipleChoiceField[Any] | None":
        """Return the field; what is not among its choices cannot be sent either."""
        field: ModelMultipleChoiceField[Any] | None
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and not request.user.is_superuser:
            theirs = (groups_within if db_field.name == "groups" else permissions_of)(request.user)
            field.limit_choices_to = {"pk__in": theirs.order_by().values("pk")}
        return field


@admin.register(User)
class AccountAdmin(FreshFactorMixin, GivingMixin, UncountedListMixin, UserAdmin):  # type: ignore[type-arg]  # for mypy
    """Django's admin of users, with a list and a search that do not slow down with their number."""

    list_display = ("username", "email", "is_active", "is_staff")
    search_fields = ("username__startswith",)
    search_help_text = _("How a username begins.")
    list_filter = (StaffFilter,)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser makes superusers."""
        return () if request.user.is_superuser else ("is_superuser",)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return whether the form and the password of this account are open to the user."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or may_manage(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return whether the account may be deleted; operators are only deactivated."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (
            obj is None or (may_manage(request.user, obj) and not is_or_was_operator(obj))
        )


@admin.register(Group)
class GivingGroupAdmin(FreshFactorMixin, GivingMixin, GroupAdmin):  # type: ignore[misc]  # GroupAdmin says less
    """Django's admin of groups, for groups that give nothing which the user does not have."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and is_within(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and is_within(request, obj)


def is_within(request: HttpRequest, group: Group | None) -> bool:
    """Return whether the user has all that the group gives."""
    return group is None or groups_within(request.user).filter(pk=group.pk).exists()
