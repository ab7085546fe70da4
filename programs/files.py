"""Recordings on disk: a file is stored with its talk, and deleted with it.

When the talk cannot be saved, its file is deleted as well.
"""

from functools import partial
from typing import Any

from django.core.files import File
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from .audio import Audio
from .disk import store
from .limits import check_storage, take_storage
from .models import Talk, audio_name


def save_with_audio(talk: Talk, file: "File[Any]", audio: Audio) -> None:
    """Store the recording, then save the new talk; delete the file when the talk was not saved.

    Raise DiskFullError, with nothing stored, when there is no room for the recording, and
    LimitReachedError when its program's owner has no room left.
    The file is stored outside of the transaction: copying 200 MB must not hold locks. A process
    killed between the two leaves a file without a talk, never a talk without its file.
    """
    owner_id = talk.program.owner_id
    check_storage(owner_id, more=file.size)
    talk.duration, talk.audio_bytes = audio.duration, file.size
    name = audio_name(talk, f"audio.{audio.extension}")
    talk.audio = store(talk.audio.storage, name, file)
    try:
        with transaction.atomic():
            talk.save()
            take_storage(owner_id)  # again: others may have stored meanwhile
    except Exception:
        # COMMIT may have worked although there is an error: its reply was lost, or a callback after
        # it failed. Then the talk exists and keeps its file.
        if talk.pk is None or not Talk.objects.filter(pk=talk.pk).exists():
            talk.audio.delete(save=False)
        raise


@receiver(post_delete, sender=Talk, dispatch_uid="delete_audio_of_deleted_talk")
def delete_audio(instance: Talk, using: str, **kwargs: Any) -> None:
    """Delete the recording when its talk's deletion is committed; log an error of the disk."""
    if instance.audio.name:
        delete = partial(instance.audio.storage.delete, instance.audio.name)
        transaction.on_commit(delete, using=using, robust=True)
