from django.db import migrations, models

from notifications.models.random_word import RandomWord


class Migration(migrations.Migration):
    dependencies = [("notifications", "0008_fill_notification_tags")]

    operations = [
        migrations.AlterField(
            model_name="notification",
            name="tag",
            field=models.CharField(
                db_default=RandomWord(),
                editable=False,
                help_text=(
                    "What devices know it by. Numbers repeat after a restore, and this does not."
                ),
                max_length=64,
                verbose_name="tag",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                fields=("tag",), name="notification_tag_is_unique"
            ),
        ),
    ]
