"""Devices: where listeners are reached. Of a token, only the last six characters are shown."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.who import whoever
from notifications import reasons
from notifications.models import DeviceToken, TestPush
from notifications.models.device import DeviceTokenQuerySet
from notifications.operators import acts, causes, test_push
from radiotalk import clock

from .asking import Control, ControlsAdmin, Happened, log
from .base import UncountedAdmin, exact
from .filters import DisabledFilter, EnabledFilter, FreshnessFilter, MineFilter, freshness


class SendTest(Control[DeviceToken]):
    name = "test"
    permission = "send_test"
    label = _("Send a test")
    asks = _("Send a real push to this device of yours, now?")

    def applies(self, row: DeviceToken) -> bool:
        return True

    def will(self, row: DeviceToken, request: HttpRequest) -> list[Any]:
        return [
            _("It is real, even in a dry run, and reaches this device alone."),
            _("The send log does not have it."),
        ]

    def do(self, row: DeviceToken, form: forms.Form, request: HttpRequest) -> Happened:
        reason, once = form.cleaned_data["reason"], form.cleaned_data["once"]
        now = clock.now()
        test = test_push.request(
            row, form=once, by=whoever(request.user, request), reason=reason, now=now
        )
        test_push.wait_for_the_end(test)
        return came_of(test, now=now)


def came_of(test: TestPush, *, now: datetime) -> Happened:
    """Return what came of a test, as far as that is known."""
    if test.state == TestPush.State.SENT:
        return Happened(gettext("FCM accepted the test: it is on its way."))
    if test.is_given_up(now=now):
        return Happened(gettext("No worker took the test, so nothing was sent."), messages.ERROR)
    if test.is_going_on:
        text = gettext("The test waits for the worker. The device's page shows what comes of it.")
        if test.state == TestPush.State.CLAIMED:
            text = gettext("A worker took the test. The device's page shows what FCM answers.")
        return Happened(text, messages.WARNING)
    about = {"code": test.code or "–", "meaning": causes.explain(test.state, test.code)}
    text = gettext("FCM did not take the test (%(code)s). %(meaning)s")
    if test.state == TestPush.State.UNKNOWN:
        text = gettext("It is not known whether FCM took the test (%(code)s). %(meaning)s")
    return Happened(text % about, messages.ERROR)


TEST = SendTest()
OF_A_TEST = {"test_link", "last_test"}
ASKED_AT = exact(TestPush, "requested_at")


@admin.register(DeviceToken)
class DeviceTokenAdmin(ControlsAdmin, UncountedAdmin):
    controls = (TEST,)
    list_display = (
        "__str__", "user", "is_enabled", "freshness_shown", "refreshed", "disabled",
        "disabled_because",
    )  # fmt: skip
    list_select_related = ("user",)
    list_filter = ("platform", FreshnessFilter, EnabledFilter, DisabledFilter, "kind", MineFilter)
    search_fields = ("user__username__exact",)
    search_help_text = _(
        "The exact username of a listener. Your own devices are those on which the app is logged "
        "in with your account."
    )
    fields = (
        "user", "token_shown", "platform", "kind", "created_at", "refreshed_at", "freshness_shown",
        "disabled_at", "disabled_because", "test_link", "last_test",
    )  # fmt: skip
    readonly_fields = (
        "token_shown", "freshness_shown", "disabled_because", "test_link", "last_test",
    )  # fmt: skip
    actions = ("disable", "enable")

    refreshed = exact(DeviceToken, "refreshed_at")
    disabled = exact(DeviceToken, "disabled_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeviceToken]:
        """Return the rows and the time, in one query."""
        rows: QuerySet[DeviceToken] = super().get_queryset(request)
        return rows.annotate(now=Now())

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order of the index by freshness under that filter, else newest first."""
        fresh = FreshnessFilter.parameter_name in request.GET
        return ("-refreshed_at", "-id") if fresh else ("-id",)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Return whether a device may be deleted: only together with its user.

        The token of a device that was deleted alone could be registered under a new id, and would
        then be a new target of a notification that it already had.
        """
        page = request.resolver_match
        deletes_users = page is not None and str(page.url_name).startswith("auth_user_")
        return deletes_users and request.user.has_perm("auth.delete_user")

    # --- What is shown -----------------------------------------------------------------------

    @admin.display(description=_("token"))
    def token_shown(self, device: DeviceToken) -> str:
        return f"…{device.token_end}"

    @admin.display(description=_("enabled"), boolean=True)
    def is_enabled(self, device: DeviceToken) -> bool:
        return device.disabled_at is None

    @admin.display(description=_("freshness"))
    def freshness_shown(self, device: Any) -> Any:
        return freshness(device.now - device.refreshed_at).label

    @admin.display(description=_("disabled because"), ordering="disabled_reason")
    def disabled_because(self, device: DeviceToken) -> str:
        return reasons.said(device.disabled_reason) or "–"

    @admin.display(description=_("test"), empty_value="–")
    def test_link(self, device: DeviceToken) -> SafeString:
        """Return a link to the page that asks; the page refuses if the device is another's."""
        return format_html('<a href="{}">{}…</a>', TEST.address(device), TEST.label)

    @admin.display(description=_("last test"))
    def last_test(self, device: Any) -> str:
        """Return what came of the last test; it is live while something may still come of it."""
        test = TestPush.objects.filter(device=device).order_by("-requested_at").first()
        if test is None:
            return "–"
        is_live = test.is_going_on and not test.is_given_up(now=device.now)
        return format_html(
            '<div id="desk-last-test"{}>{} {}</div>',
            " data-live" if is_live else "",
            ASKED_AT(self, test),
            came_of(test, now=device.now).text,
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields; those of a test only for the owner who has the permission."""
        mine = obj is not None and obj.user_id == request.user.pk and TEST.may(request)
        return [name for name in self.fields or () if mine or name not in OF_A_TEST]

    # --- What is done ------------------------------------------------------------------------

    def found(self, request: HttpRequest, number: int) -> DeviceToken:
        """Return the device; raise PermissionDenied unless it is the operator's own."""
        device: DeviceToken = super().found(request, number)
        if device.user_id != request.user.pk:
            raise PermissionDenied
        return device

    @admin.action(permissions=["steer"], description=_("Disable: send no more to these devices"))
    def disable(self, request: HttpRequest, queryset: DeviceTokenQuerySet) -> None:
        log(request, queryset.enabled(), "disable")
        ids = queryset.values_list("id", flat=True)
        count = acts.disable_devices(list(ids), by=whoever(request.user, request), now=clock.now())
        text = ngettext("%(count)d device was disabled.", "%(count)d devices were disabled.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(permissions=["steer"], description=_("Enable: send to these devices again"))
    def enable(self, request: HttpRequest, queryset: DeviceTokenQuerySet) -> None:
        disabled = queryset.filter(disabled_at__isnull=False)
        ids = list(disabled.values_list("id", flat=True))
        enabled = acts.enable_devices(ids, by=whoever(request.user, request))
        log(request, DeviceToken.objects.filter(id__in=enabled), "enable")
        count, left = len(enabled), len(ids) - len(enabled)
        text = ngettext("%(count)d device was enabled.", "%(count)d devices were enabled.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)
        if left:
            text = ngettext(
                "%(count)d device stays disabled: its user has as many as they may have.",
                "%(count)d devices stay disabled: their users have as many as they may have.",
                left,
            )
            self.message_user(request, text % {"count": left}, messages.WARNING)
