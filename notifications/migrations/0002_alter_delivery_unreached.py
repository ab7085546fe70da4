from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="unreached",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Attempts of which FCM knows nothing.",
                verbose_name="of these unreached",
            ),
        ),
    ]
