from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="workerlease",
            name="turnaround_median",
            field=models.FloatField(
                blank=True,
                help_text="Seconds for which a stream to FCM stood idle lately, with more to send.",
                null=True,
                verbose_name="turn-around, median",
            ),
        ),
        migrations.AddField(
            model_name="workerlease",
            name="turnaround_p99",
            field=models.FloatField(
                blank=True, null=True, verbose_name="turn-around, 99th percentile"
            ),
        ),
    ]
