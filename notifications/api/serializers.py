"""The JSON of devices and of a notification's progress."""

from django.utils.translation import gettext as _
from rest_framework import serializers

from notifications import reasons
from notifications.models import DeviceToken, Notification
from notifications.models.device import MAX_TOKEN
from programs.invisible import first_invisible


class DeviceSerializer(serializers.ModelSerializer[DeviceToken]):
    """A device of the asking user's; of its token only the end is ever answered."""

    token_end = serializers.CharField(read_only=True)

    class Meta:
        model = DeviceToken
        fields = ["id", "token_end", "kind", "platform", "created_at", "refreshed_at"]
        read_only_fields = fields


class RegistrationSerializer(serializers.ModelSerializer[DeviceToken]):
    """What an app tells of its device."""

    class Meta:
        model = DeviceToken
        fields = ["token", "kind", "platform"]
        # No validator of uniqueness: a known token is refreshed.
        extra_kwargs = {
            "token": {"validators": [], "write_only": True},
            "kind": {"default": DeviceToken.Kind.TOKEN},
            "platform": {"required": True},
        }

    def validate_token(self, token: str) -> str:
        """Return the token; raise ValidationError for one that FCM cannot have given.

        Its bytes are too many for an index, or something on its way put an invisible character in.
        """
        if len(token.encode()) > MAX_TOKEN:
            self.fields["token"].fail("max_length", max_length=MAX_TOKEN)
        if code_point := first_invisible(token):
            message = _("There is an invisible character (%(code_point)s) in the token.")
            raise serializers.ValidationError(message % {"code_point": code_point})
        return token


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """How far the notification of a talk has come."""

    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    reason = serializers.SerializerMethodField()

    class Meta:
        model = Notification
        fields = [
            "talk",
            "state",
            "dry_run",
            "reason",
            "counts",
            "created_at",
            "started_at",
            "first_sent_at",
            "last_sent_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_reason(self, notification: Notification) -> str:
        """Return why it is as it is, "" when the reason is not meant for talkers."""
        return reasons.said_to_talker(notification.reason)
