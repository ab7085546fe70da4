from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_brakes")]

    operations = [
        migrations.AddField(
            model_name="workerlease",
            name="fcm_away_seconds",
            field=models.FloatField(
                blank=True,
                help_text=(
                    "For how many seconds FCM has not been reached, or has had no credentials."
                ),
                null=True,
                verbose_name="FCM away",
            ),
        ),
        migrations.AddField(
            model_name="workerlease",
            name="fcm_away_code",
            field=models.CharField(
                blank=True, db_default="", max_length=100, verbose_name="FCM away because"
            ),
        ),
    ]
