"""Posting a talk exactly once, however often the client asks for it.

A repeated `Idempotency-Key` is answered with the talk of the first request
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). A key belongs to one
program, and is known as long as its talk exists.
"""

import hashlib
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError

from programs.audio import Audio
from programs.files import save_with_audio
from programs.limits import LimitReachedError
from programs.models import Program, Talk

from .uploads import PayloadTooLarge

MAX_KEY_CHARACTERS = 255  # of Talk.idempotency_key


class KeyReused(APIException):
    """422: the key was used for other content (section 2.7 of the draft)."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("This Idempotency-Key was used for another talk. Send a new one.")
    default_code = "idempotency_key_reused"


def key_in(headers: Any) -> str | None:
    """Return the Idempotency-Key, None without one; raise ValidationError for a bad one."""
    key: str | None = headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isprintable()):
        message = _("Send 1 to %(limit)d characters.") % {"limit": MAX_KEY_CHARACTERS}
        raise ValidationError({"Idempotency-Key": [message]})
    return key


def post_talk(program: Program, fields: dict[str, Any], audio: Audio, key: str | None) -> Talk:
    """Return the new talk, or the talk that was posted with this key and this content before.

    Of several requests at once, the unique constraint lets one post; the others return its talk.
    Raise PayloadTooLarge when the recording is larger than what its user has left.
    """
    talk = Talk(program=program, title=fields["title"], description=fields.get("description", ""))
    if key is not None:
        talk.idempotency_key, talk.content_digest = key, digest(talk, fields["audio"])
        if posted := posted_before(talk):
            return posted
    try:
        save_with_audio(talk, fields["audio"], audio)
    except LimitReachedError as error:
        raise PayloadTooLarge({"audio": [str(error)]}) from error
    except IntegrityError:
        if key is not None and (posted := posted_before(talk)):
            return posted
        raise  # the program was deleted meanwhile
    return talk


def posted_before(talk: Talk) -> Talk | None:
    """Return the posted talk with the same key, if any; raise KeyReused if its content differs."""
    posted = Talk.objects.filter(program=talk.program, idempotency_key=talk.idempotency_key).first()
    if posted and posted.content_digest != talk.content_digest:
        raise KeyReused
    return posted


def digest(talk: Talk, file: "UploadedFile[Any]") -> str:
    """Return the SHA-256 of title, description and recording.

    The texts are hashed one by one, so that a word moved from one to the other changes the digest.
    """
    sha = hashlib.sha256()
    for text in (talk.title, talk.description):
        sha.update(hashlib.sha256(text.encode()).digest())
    for chunk in file.chunks():
        sha.update(chunk)
    file.seek(0)
    return sha.hexdigest()
