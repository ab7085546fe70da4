"""Recordings on disk: a file is stored with its talk, and goes when the talk goes or never came."""

from functools import partial
from typing import Any

from django.core.files import File
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from .audio import Audio
from .models import Talk


def save_with_audio(talk: Talk, file: "File[Any]", audio: Audio) -> None:
    """Save a new talk with its recording; when the row is not saved, the file does not stay.

    The file is stored first, outside of the transaction: copying 200 MB must not hold locks. A
    process killed between the two leaves a file without a talk, never a talk without its file.
    """
    talk.duration = audio.duration
    talk.audio.save(f"audio.{audio.extension}", file, save=False)
    try:
        talk.save()
    except Exception:
        # An error that came after the commit, or in place of its answer, must not cost the file.
        if talk.pk is None or not Talk.objects.filter(pk=talk.pk).exists():
            talk.audio.delete(save=False)
        raise


@receiver(post_delete, sender=Talk, dispatch_uid="delete_audio_of_deleted_talk")
def delete_audio(instance: Talk, using: str, **kwargs: Any) -> None:
    """Delete the recording once its talk is gone for good; a failing disk is logged."""
    if instance.audio.name:
        delete = partial(instance.audio.storage.delete, instance.audio.name)
        transaction.on_commit(delete, using=using, robust=True)
