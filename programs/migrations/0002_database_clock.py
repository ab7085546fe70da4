"""Times that are stored by default are the database's from now on; code before this gives its own."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    # One table locked at a time: several at once deadlock with a worker's claim.
    atomic = False

    dependencies = [("programs", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="clip",
            name="created_at",
            field=models.DateTimeField(
                db_default=Now(),
                editable=False,
                verbose_name="created at",
            ),
        ),
        migrations.AlterField(
            model_name="program",
            name="created_at",
            field=models.DateTimeField(
                db_default=Now(),
                editable=False,
                verbose_name="created at",
            ),
        ),
        migrations.AlterField(
            model_name="talk",
            name="posted_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="posted at"),
        ),
    ]
