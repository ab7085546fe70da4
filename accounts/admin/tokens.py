"""API tokens in the desk: whose they are, and taking them back. None is shown, nor made, here."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.acts import keep
from accounts.models import ApiToken
from accounts.revoking import revoke
from accounts.who import operator
from radiotalk.uncounted_lists import UncountedListMixin


@admin.register(ApiToken)
class ApiTokenAdmin(UncountedListMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Whoever may delete tokens takes back one, those that are ticked, or all of an account."""

    list_display = ("__str__", "account", "created", "last_used_at", "expiry", "lets_in")
    list_select_related = ("user",)
    ordering = ("-id",)
    search_fields = ("user__username__exact",)
    search_help_text = _("The exact username of an account.")
    fields = ("name", "account", "created", "last_used_at", "expiry", "lets_in")
    readonly_fields = fields
    show_full_result_count = False
    actions = ("revoke_all_of_their_accounts",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """Return the tokens, without their secrets."""
        rows: Any = super().get_queryset(request)
        told: QuerySet[ApiToken] = rows.with_lets_in()
        return told.defer("digest", "token_key", "fingerprint")

    # knox has no Japanese for the heading of its field.
    @admin.display(description=_("user"), ordering="user")
    def account(self, token: ApiToken) -> str:
        """Return a link to the account that it lets in."""
        page = reverse("admin:auth_user_change", args=[token.user_id])
        return format_html('<a href="{}">{}</a>', page, token.user.get_username())

    @admin.display(description=_("lets in"), boolean=True)
    def lets_in(self, token: Any) -> bool:
        """Return whether the token would let its account in now."""
        return bool(token.lets_in)

    # --- Taking back: Django's own pages ask before ------------------------------------------

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        self.delete_queryset(request, ApiToken.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        ticked = ApiToken.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        revoke(ticked, by=operator(request), why="revoked by the desk")

    @admin.action(permissions=["delete"], description=_("Revoke all API tokens of these accounts"))
    def revoke_all_of_their_accounts(
        self, request: HttpRequest, queryset: QuerySet[ApiToken]
    ) -> None:
        by = operator(request)
        accounts = sorted(set(queryset.values_list("user", flat=True)))
        with transaction.atomic():
            of_accounts = ApiToken.objects.filter(user__in=accounts)
            count = revoke(of_accounts, by=by, why="revoked by the desk")
            for account in accounts:
                keep("operator.tokens_revoked", by=by, about=f"account {account}")
        text = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)
