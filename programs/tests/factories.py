"""Users, programs, talks and clips for tests: `ProgramFactory.create(owner=anna)`."""
# mypy: disable-error-code="no-untyped-call"

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from factory.declarations import LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from programs.models import Clip, Program, Talk
from programs.tests.recordings import wav


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = Sequence(lambda n: f"user{n}")


class ProgramFactory(DjangoModelFactory[Program]):
    class Meta:
        model = Program

    owner = SubFactory(UserFactory)
    title = Sequence(lambda n: f"Program {n}")


class TalkFactory(DjangoModelFactory[Talk]):
    class Meta:
        model = Talk

    program = SubFactory(ProgramFactory)
    title = Sequence(lambda n: f"Talk {n}")
    audio = LazyFunction(lambda: ContentFile(wav(), name="audio.wav"))
    duration = 0.1


class ClipFactory(DjangoModelFactory[Clip]):
    class Meta:
        model = Clip

    listener = SubFactory(UserFactory)
    program = SubFactory(ProgramFactory)
