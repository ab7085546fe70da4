"""For which program's caps a notification counts; what was written before counts for none."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("notifications", "0009_notification_tag_is_unique")]

    operations = [
        migrations.AddField(
            model_name="notification",
            name="counted_for",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=Q(counted_for__isnull=False),
                fields=["counted_for", "-created_at"],
                name="notification_counted",
            ),
        ),
    ]
