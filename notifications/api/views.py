"""Who may see and change devices, and who may follow a notification, over HTTP."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from notifications import reasons
from notifications.models import DeviceToken, Notification
from notifications.models.device import DeviceTokenQuerySet
from programs.api.querysets import user_of
from radiotalk import clock

from .serializers import DeviceSerializer, NotificationSerializer, RegistrationSerializer


class OwnDevices(generics.GenericAPIView[DeviceToken]):
    """Requests about the asking user's devices; another user's device is answered 404."""

    queryset = DeviceToken.objects.none()  # tells the schema the model
    serializer_class = DeviceSerializer

    def get_queryset(self) -> DeviceTokenQuerySet:
        """Return the user's devices that may be sent to."""
        return DeviceToken.objects.enabled().filter(user=user_of(self.request))


class RegistrationThrottle(UserRateThrottle):
    """Bounds the rows that a user adds: a device's row is never deleted."""

    scope = "devices"


class DevicesView(OwnDevices, generics.ListAPIView[DeviceToken]):
    """The asking user's devices, and the way to register one."""

    filterset_fields = ["platform"]
    # DRF's metadata (OPTIONS) takes a PUT for one about a single object, and would look for it.
    metadata_class = None
    throttle_classes = [RegistrationThrottle]

    def get_throttles(self) -> list[BaseThrottle]:
        """Return what bounds the request: registering alone is bounded."""
        return super().get_throttles() if self.request.method == "PUT" else []

    @extend_schema(
        operation_id="devices_register",
        request=RegistrationSerializer,
        responses={
            200: DeviceSerializer,
            201: DeviceSerializer,
            429: OpenApiResponse(description="Too many registrations in the last hour."),
        },
    )
    def put(self, request: Request) -> Response:
        """Register or refresh a device; a token of another user moves to the asking user."""
        registration = RegistrationSerializer(data=request.data)
        registration.is_valid(raise_exception=True)
        device, is_new = DeviceToken.objects.register(
            user=user_of(request), now=clock.now(), **registration.validated_data
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(DeviceSerializer(device).data, status=code)


class DeviceView(OwnDevices, generics.DestroyAPIView[DeviceToken]):
    """One device of the asking user's."""

    def perform_destroy(self, instance: DeviceToken) -> None:
        """Disable the device; its row stays, since the send log refers to the row."""
        own = self.get_queryset().filter(pk=instance.pk)
        own.disable(reason=reasons.UNREGISTERED_BY_USER, now=clock.now())


class TalkNotificationView(generics.RetrieveAPIView[Notification]):
    """The progress of a talk's notification, for the program's owner."""

    queryset = Notification.objects.none()  # tells the schema the model
    serializer_class = NotificationSerializer
    lookup_field = "talk__pk"
    lookup_url_kwarg = "talk_id"

    def get_queryset(self) -> QuerySet[Notification]:
        """Return the notifications of the user's own programs."""
        return Notification.objects.filter(talk__program__owner=user_of(self.request))
