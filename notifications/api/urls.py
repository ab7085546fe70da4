"""The addresses of devices and of a notification's progress, below /api/v1/."""

from django.urls import path

from .me import MeView
from .views import DevicesView, DeviceView, TalkNotificationView

urlpatterns = [
    path("me/", MeView.as_view(), name="me"),
    path("devices/", DevicesView.as_view(), name="device-list"),
    path("devices/<int:pk>/", DeviceView.as_view(), name="device-detail"),
    path(
        "talks/<int:talk_id>/notification/",
        TalkNotificationView.as_view(),
        name="talk-notification",
    ),
]
