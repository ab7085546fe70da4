"""Everything that is kept of a person, as files: one of JSON, and their recordings as they are."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from accounts.acts import keep
from accounts.sessions import sessions_of
from accounts.who import Who
from programs.models import Talk

from . import personal

FILE = "account.json"


def export(user: User, directory: Path, *, by: Who) -> Iterator[str]:
    """Write the files into a new directory that only its owner reads; yield each one's name.

    The act is kept before anything is written. Raise FileExistsError when there is such a
    directory. A recording that is away is left out: the talk in the JSON names it all the same.
    """
    directory.mkdir(mode=0o700, parents=True)
    with transaction.atomic():
        keep("operator.user_exported", by=by, about=f"account {user.pk}")
        told = everything(user)
    with (directory / FILE).open("w") as file:
        json.dump(told, file, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
    yield FILE
    for talk in Talk.objects.filter(program__owner=user).exclude(audio="").iterator():
        target = directory / str(talk.audio.name)
        try:
            source = talk.audio.open()
        except FileNotFoundError:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        yield str(talk.audio.name)


def everything(user: User) -> dict[str, list[dict[str, Any]]]:
    """Return all there is of the account, by model; no secret is among it."""
    told = {
        model._meta.label: list(
            personal.rows(model, user).order_by("pk").values(*entry.told, **entry.computed)
        )
        for model, entry in personal.kept()
    }
    log_ins = sessions_of(user)
    told[Session._meta.label] = [dict(each) for each in log_ins.values("expire_date")]
    for tries in personal.log_ins(user):
        columns = "username", "ip_address", "user_agent", "attempt_time"
        told[tries.model._meta.label] = list(tries.values(*columns))
    return told
