"""What survives a restore: a tag that never repeats, and how far the lease's worker had come.

The tag is null at first, and has its default afterwards: both take a moment. A column that came
with a random default would have PostgreSQL write the whole table again, locked.
"""

from django.db import migrations, models

from notifications.models.random_word import RandomWord

TAG_HELP = "What devices know it by. Numbers repeat after a restore, and this does not."


class Migration(migrations.Migration):
    dependencies = [("notifications", "0006_database_clock")]

    operations = [
        migrations.AddField(
            model_name="workerlease",
            name="commits",
            field=models.PositiveBigIntegerField(
                db_default=0,
                default=0,
                help_text=(
                    "Transactions under this lease so far. They only grow, unless it is restored."
                ),
                verbose_name="commits",
            ),
        ),
        migrations.AddField(
            model_name="workerlease",
            name="remembered_epoch",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text=(
                    "While it is set nobody gets the lease: the database seems to be restored."
                ),
                null=True,
                verbose_name="epoch that a worker remembers",
            ),
        ),
        migrations.AddField(
            model_name="notification",
            name="tag",
            field=models.CharField(
                editable=False, help_text=TAG_HELP, max_length=64, null=True, verbose_name="tag"
            ),
        ),
        migrations.AlterField(
            model_name="notification",
            name="tag",
            field=models.CharField(
                db_default=RandomWord(),
                editable=False,
                help_text=TAG_HELP,
                max_length=64,
                null=True,
                verbose_name="tag",
            ),
        ),
    ]
