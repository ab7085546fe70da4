from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0004_workerlease_fcm_away")]

    operations = [
        migrations.AddField(
            model_name="workerlease",
            name="settings",
            field=models.JSONField(blank=True, null=True, verbose_name="settings"),
        ),
        migrations.AddField(
            model_name="workerlease",
            name="settings_before",
            field=models.JSONField(
                blank=True,
                help_text="Of the holder before this one.",
                null=True,
                verbose_name="settings before",
            ),
        ),
        migrations.AddField(
            model_name="standby",
            name="settings",
            field=models.JSONField(blank=True, null=True, verbose_name="settings"),
        ),
    ]
