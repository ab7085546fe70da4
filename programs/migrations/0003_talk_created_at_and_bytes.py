"""When a talk's row was written, by the database's clock, and how many bytes its recording has.

Talks that are there keep null for the time, so that no message can announce them: the column comes
without a default first. Their bytes count as 0.
"""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("programs", "0002_database_clock")]

    operations = [
        migrations.AddField(
            model_name="talk",
            name="audio_bytes",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="talk",
            name="created_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="created at"),
        ),
        migrations.AlterField(
            model_name="talk",
            name="created_at",
            field=models.DateTimeField(
                db_default=Now(), editable=False, null=True, verbose_name="created at"
            ),
        ),
        migrations.AddIndex(
            model_name="talk",
            index=models.Index(fields=["program", "audio_bytes"], name="talk_bytes_of_program"),
        ),
    ]
