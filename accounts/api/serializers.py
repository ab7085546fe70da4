"""The JSON of logging in, and of tokens."""

from typing import Any

from rest_framework import serializers
from rest_framework.authtoken.serializers import AuthTokenSerializer

from accounts.models import ApiToken
from accounts.models.api_token import MAX_NAME


class LogInSerializer(AuthTokenSerializer):
    """A name and a password, and what the device calls itself."""

    device = serializers.CharField(
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="What the device is called in the list of tokens; the default is its User-Agent.",
    )
    id = serializers.IntegerField(read_only=True)
    expiry = serializers.DateTimeField(
        read_only=True, help_text="The token's end, unless it is used before: each use moves it on."
    )


class ApiTokenSerializer(serializers.ModelSerializer[ApiToken]):
    """One token, which is not told itself."""

    device = serializers.CharField(source="name", read_only=True)
    current = serializers.SerializerMethodField(help_text="Whether this request is made with it.")

    class Meta:
        model = ApiToken
        fields = ["id", "device", "created", "last_used_at", "expiry", "current"]
        read_only_fields = fields

    def get_current(self, token: ApiToken) -> bool:
        """Return whether the request that asks was made with this token."""
        return bool(self.context["request"].auth == token)


def visible(name: str) -> str:
    """Return the part of a device's name that is kept: visible characters in one line."""
    shown = "".join(each if each.isprintable() else " " for each in name)
    return " ".join(shown.split())[:MAX_NAME].rstrip()


def device_name(asked: dict[str, Any], user_agent: str) -> str:
    """Return what the device calls itself, "" for nothing that can be seen."""
    return visible(asked.get("device", "")) or visible(user_agent)
