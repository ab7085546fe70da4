"""The asking user's own account: its owner may erase it, with all that is kept of them."""

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications.operators import acts, erase
from programs.api.querysets import user_of
from radiotalk import clock


class ErasingSerializer(serializers.Serializer[None]):
    """What the owner of an account must tell to have it erased."""

    password = serializers.CharField(trim_whitespace=False, max_length=128)


class MeView(APIView):
    """The asking user's own account."""

    @extend_schema(
        request=ErasingSerializer,
        responses={
            204: None,
            400: OpenApiResponse(description="The password is missing."),
            403: OpenApiResponse(description="It is wrong, or the account is an operator's."),
            415: OpenApiResponse(description="The body is no JSON."),
            429: OpenApiResponse(description="Too many log-ins failed."),
        },
    )
    def delete(self, request: Request) -> Response:
        """Erase the account, for good. The body has its password: `{"password": "…"}`.

        Programs, talks, recordings, clips, devices and log-ins go with it. If the answer does not
        come, ask again: it goes on.
        """
        erasing = ErasingSerializer(data=request.data)
        erasing.is_valid(raise_exception=True)
        user = user_of(request)
        # The request is Django's own, so that a wrong password counts as a failed log-in.
        password = erasing.validated_data["password"]
        found = authenticate(request._request, username=user.get_username(), password=password)
        if found is None or found.pk != user.pk:
            raise PermissionDenied(_("The password is wrong: nothing was erased."))
        try:
            for _step in erase.erase(user, now=clock.now()):
                pass
        except acts.Refused as refusal:
            raise PermissionDenied(str(refusal)) from refusal
        return Response(status=status.HTTP_204_NO_CONTENT)
