"""Logging in and out of the API, and one's own tokens."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import ApiToken
from accounts.models.api_token import ApiTokenQuerySet
from accounts.revoking import revoke, revoke_beyond_the_most
from accounts.who import whoever

from .authentication import ApiTokenAuthentication
from .serializers import ApiTokenSerializer, LogInSerializer, device_name


class LogInView(APIView):
    """Logging in, which nobody needs to be known for, and logging out by the token itself."""

    authentication_classes = [ApiTokenAuthentication]
    parser_classes = [JSONParser, FormParser, MultiPartParser]

    def perform_authentication(self, request: Request) -> None:
        """Look at the token for logging out alone: to log in, none is needed, or it has ended."""
        if request.method == "DELETE":
            super().perform_authentication(request)

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticated()] if self.request.method == "DELETE" else []

    @extend_schema(
        operation_id="auth_token_create",
        auth=[],
        request=LogInSerializer,
        responses={
            200: LogInSerializer,
            400: OpenApiResponse(description="The name and the password are of no active account."),
            429: OpenApiResponse(description="Too many log-ins failed."),
        },
    )
    def post(self, request: Request) -> Response:
        """Exchange a name and a password for a token of this device's own."""
        plain = request._request
        asked = LogInSerializer(data=request.data, context={"request": plain})
        asked.is_valid(raise_exception=True)
        user: User = asked.validated_data["user"]
        name = device_name(asked.validated_data, request.headers.get("User-Agent", ""))
        row, token = ApiToken.objects.create(user, name=name)
        revoke_beyond_the_most(user, by=whoever(user, request._request))
        user_logged_in.send(sender=type(user), request=plain, user=user)
        return Response(LogInSerializer({"token": token, "id": row.pk, "expiry": row.expiry}).data)

    @extend_schema(operation_id="auth_token_destroy", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Log out: the token that the request is made with is gone at once."""
        user = cast(User, request.user)
        current = ApiToken.objects.filter(pk=request.auth.pk)
        revoke(current, by=whoever(user, request._request), why="logged out")
        user_logged_out.send(sender=type(user), request=request._request, user=user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class OwnTokens(generics.GenericAPIView[ApiToken]):
    """Requests about the asking user's tokens; another user's token is answered 404."""

    queryset = ApiToken.objects.none()  # tells the schema the model
    serializer_class = ApiTokenSerializer

    def get_queryset(self) -> ApiTokenQuerySet:
        """Return the user's tokens that let in."""
        own: ApiTokenQuerySet = ApiToken.objects.filter(user=cast(User, self.request.user))
        return own.living().by_use()


class TokensView(OwnTokens, generics.ListAPIView[ApiToken]):
    """The asking user's tokens, those used last first."""


class TokenView(OwnTokens, generics.DestroyAPIView[ApiToken]):
    """One token of the asking user's."""

    def perform_destroy(self, instance: ApiToken) -> None:
        """Take the token back: whoever has it is logged out at once."""
        who = whoever(cast(User, self.request.user), self.request._request)
        revoke(self.get_queryset().filter(pk=instance.pk), by=who, why="revoked by its owner")
