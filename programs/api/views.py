"""The requests of the API on programs, clips and talks, and who may make them."""

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import generics, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from programs.limits import LimitReachedError, take_program
from programs.models import Clip, Program, Talk

from .filters import ProgramFilter, TalkFilter
from .posting import key_in, post_talk
from .querysets import programs_owned_by, programs_seen_by, talks_of_all, user_of
from .serializers import ClipSerializer, NewTalkSerializer, ProgramSerializer, TalkSerializer
from .uploads import RecordingParser


class TooManyPrograms(APIException):
    """409: the user's programs are in the way, and the user can delete one (RFC 9110, 15.5.10)."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "too_many_programs"


@extend_schema_view(
    create=extend_schema(
        responses={
            201: ProgramSerializer,
            409: OpenApiResponse(description="The user has as many programs as one may have."),
        }
    )
)
class ProgramViewSet(viewsets.ModelViewSet[Program]):
    """Every user reads all programs, and changes their own."""

    queryset = Program.objects.none()  # tells the schema the model
    serializer_class = ProgramSerializer
    filterset_class = ProgramFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Program]:
        """Return the programs that the request may be about; any other is answered 404."""
        user = user_of(self.request)
        if self.request.method in SAFE_METHODS or self.action in ("clip", "unclip"):
            return programs_seen_by(user)
        return programs_owned_by(user)

    def perform_create(self, serializer: BaseSerializer[Program]) -> None:
        """Make the asking user the owner; raise TooManyPrograms for one program too many."""
        owner = user_of(self.request)
        with transaction.atomic():
            try:
                take_program(owner.pk)
            except LimitReachedError as error:
                raise TooManyPrograms(str(error)) from error
            serializer.save(owner=owner)

    @extend_schema(request=ClipSerializer, responses={200: ClipSerializer, 201: ClipSerializer})
    @action(detail=True, methods=["put"])
    def clip(self, request: Request, pk: int) -> Response:
        """Follow the program. Without `muted` a clip that exists stays as it is."""
        serializer = ClipSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        clip, is_new = Clip.objects.update_or_create(
            listener=user_of(request),
            program=self.get_object(),
            defaults=serializer.validated_data,
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(ClipSerializer(clip).data, status=code)

    @extend_schema(responses={204: None})
    @clip.mapping.delete
    def unclip(self, request: Request, pk: int) -> Response:
        """Stop following the program; the answer is 204 even if the user never followed it."""
        Clip.objects.filter(listener=user_of(request), program=self.get_object()).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProgramTalksView(generics.ListAPIView[Talk]):
    """The talks of one program, and the way to post another."""

    queryset = Talk.objects.none()  # tells the schema the model
    serializer_class = TalkSerializer
    filterset_class = TalkFilter
    parser_classes = [RecordingParser]

    def get_queryset(self) -> QuerySet[Talk]:
        """Return the program's talks."""
        program = get_object_or_404(Program, pk=self.kwargs["program_id"])
        return talks_of_all().filter(program=program)

    @extend_schema(
        operation_id="programs_talks_create",
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                location=OpenApiParameter.HEADER,
                description="Your own name for this upload: repeated, it is answered the same.",
            )
        ],
        request={"multipart/form-data": NewTalkSerializer},
        responses={
            201: TalkSerializer,
            400: OpenApiResponse(description="No acceptable recording, or a field is wrong."),
            409: OpenApiResponse(description="The program went away meanwhile."),
            413: OpenApiResponse(
                description="The recording has too many bytes, or its user has no room."
            ),
            422: OpenApiResponse(description="The Idempotency-Key was used for another talk."),
            503: OpenApiResponse(
                description="The database is away. The talk may be posted all the same: repeat the "
                "request only with the same Idempotency-Key."
            ),
            507: OpenApiResponse(description="The server's disk is full; nothing was posted."),
        },
    )
    def post(self, request: Request, program_id: int) -> Response:
        """Post a talk to a program of one's own; its listeners are notified at once."""
        program = get_object_or_404(programs_owned_by(user_of(request)), pk=program_id)
        key = key_in(request.headers)
        new = NewTalkSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        talk = post_talk(program, new.validated_data, new.recording, key)
        serializer = self.get_serializer(talk)
        return Response(serializer.data, status=status.HTTP_201_CREATED)


class TalkView(generics.RetrieveAPIView[Talk]):
    """One talk."""

    queryset = Talk.objects.none()  # tells the schema the model
    serializer_class = TalkSerializer

    def get_queryset(self) -> QuerySet[Talk]:
        """Return every talk."""
        return talks_of_all()
