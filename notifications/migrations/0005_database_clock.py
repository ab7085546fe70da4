"""Times that are stored by default are the database's from now on; code before this gives its own."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    # One table locked at a time: several at once deadlock with a worker's claim.
    atomic = False

    dependencies = [("notifications", "0004_workerlease_fcm_away")]

    operations = [
        migrations.AlterField(
            model_name="answeredform",
            name="at",
            field=models.DateTimeField(db_default=Now(), verbose_name="at"),
        ),
        migrations.AlterField(
            model_name="devicetoken",
            name="created_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="created at"),
        ),
        migrations.AlterField(
            model_name="devicetoken",
            name="refreshed_at",
            field=models.DateTimeField(
                db_default=Now(),
                help_text="When the app last registered it.",
                verbose_name="refreshed at",
            ),
        ),
        migrations.AlterField(
            model_name="notification",
            name="created_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="created at"),
        ),
        migrations.AlterField(
            model_name="notification",
            name="cutoff",
            field=models.DateTimeField(
                db_default=Now(),
                help_text="Devices registered later are no targets.",
                verbose_name="cutoff",
            ),
        ),
        migrations.AlterField(
            model_name="sendingswitch",
            name="changed_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="changed at"),
        ),
        migrations.AlterField(
            model_name="workerlease",
            name="expires_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="expires at"),
        ),
    ]
