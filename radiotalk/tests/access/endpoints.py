"""Every address of the site, from the URLconf."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.admindocs.views import simplify_regex
from django.contrib.auth.models import Permission
from django.urls import URLPattern, URLResolver, get_resolver

from notifications.admin.asking import ControlsAdmin

OF_A_MODEL = re.compile(r"/admin/(?P<app>[a-z]+)/(?P<model>[a-z]+)/(?P<rest>.*)")
KINDS = ("changelist", "add", "change", "delete", "history")
# What somebody needs besides looking, in the words of Django's permissions.
NEEDED = {"changelist": "delete", "add": "add", "change": "change", "delete": "delete"}


@dataclass(frozen=True)
class Endpoint:
    """One address, its parameters in angle brackets."""

    address: str
    name: str

    @property
    def model(self) -> str:
        """Return which model a page of the desk is about, "" for any other page."""
        found = OF_A_MODEL.fullmatch(self.address)
        return found["model"] if found else ""

    @property
    def section(self) -> str:
        """Return under which heading of docs/access.md the address is found."""
        if self.address.startswith("/api/"):
            return "API"
        if self.name.startswith(("account_", "mfa_")):
            return "Log-in"
        if not self.address.startswith("/admin/"):
            return "Others"
        kind = self.name.rpartition("_")[2]
        if self.name in controls():
            return "Desk: acts"
        if self.model and (kind in KINDS or not self.name):
            return f"Desk: {kind or 'short address'}"
        return "Desk: other pages"

    @property
    def permission(self) -> Permission | None:
        """Return what somebody needs besides looking at everything; None where that is enough."""
        if self.name in controls():
            return Permission.objects.get(codename=controls()[self.name])
        needed = NEEDED.get(self.name.rpartition("_")[2])
        if not self.model or not needed:
            return None
        found = OF_A_MODEL.fullmatch(self.address)
        assert found
        return Permission.objects.get(
            content_type__app_label=found["app"], codename=f"{needed}_{self.model}"
        )


def controls() -> dict[str, str]:
    """Return the permission of each act of the desk, by the name of its address."""
    return {
        f"{desk.opts.app_label}_{desk.opts.model_name}_{control.name}": control.permission
        for desk in admin.site._registry.values()
        if isinstance(desk, ControlsAdmin)
        for control in desk.controls
    }


def endpoints() -> list[Endpoint]:
    """Return every address; of two patterns with one address the first one answers."""
    found: dict[str, Endpoint] = {}
    for pattern, name in walk(get_resolver().url_patterns):
        address = simplify_regex(pattern)
        found.setdefault(address, Endpoint(address, name))
    return sorted(found.values(), key=lambda endpoint: endpoint.address)


def walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each pattern and its name, in the order in which Django asks them."""
    for each in patterns:
        pattern = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from walk(each.url_patterns, pattern)
        else:
            yield pattern, each.name or ""
