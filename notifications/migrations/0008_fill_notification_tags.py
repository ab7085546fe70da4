"""Give each notification from before the tag that it had then: phones may show half of it already.

A retry must carry the tag of the first attempt, by which it replaces it. No later notification gets
such a tag, whatever numbers it has. Filled in pieces, so that no row is locked for long.
"""

from typing import Any

from django.db import migrations
from django.db.models import Case, CharField, Value, When
from django.db.models.functions import Cast, Concat

from notifications.models.random_word import RandomWord

PIECE = 5_000  # rows in one transaction

AS_BEFORE = Case(
    When(talk__isnull=False, then=Concat(Value("talk-"), Cast("talk_id", CharField()))),
    default=RandomWord(),
)


def fill(apps: Any, schema_editor: Any) -> None:
    """Fill the tags that are still missing."""
    notifications = apps.get_model("notifications", "Notification").objects
    untagged = notifications.filter(tag=None).order_by("id").values_list("id", flat=True)
    while ids := list(untagged[:PIECE]):
        notifications.filter(id__in=ids).update(tag=AS_BEFORE)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0007_restored")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
