"""`manage.py seed` makes listeners, as often as it is asked to."""

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from notifications.models import DeviceToken
from programs.models import Clip, Program

pytestmark = pytest.mark.django_db


def test_each_run_adds_listeners_with_a_device_to_the_same_program() -> None:
    for _twice in range(2):
        call_command("seed", "--listeners", "3", "--program", "Owls")

    assert Clip.objects.filter(program=Program.objects.get()).count() == 6
    assert DeviceToken.objects.values("user").distinct().count() == 6


def test_of_two_programs_of_that_title_the_first_gets_them() -> None:
    call_command("seed", "--listeners", "0", "--program", "Owls")
    first = Program.objects.get()
    Program.objects.create(owner=User.objects.get(username="talker"), title="Owls")

    call_command("seed", "--listeners", "1", "--program", "Owls")

    assert Clip.objects.get().program == first
