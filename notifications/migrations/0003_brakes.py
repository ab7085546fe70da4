from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_workerlease_turnaround")]

    operations = [
        migrations.AlterField(
            model_name="notification",
            name="brake",
            field=models.CharField(
                blank=True,
                help_text="The answers that held it. Released, it is not held for them again.",
                max_length=60,
                verbose_name="brakes",
            ),
        ),
    ]
