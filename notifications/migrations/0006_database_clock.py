"""Only what Django knows of the columns: their default comes from the database's clock now."""

import radiotalk.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0005_settings_of_workers'),
    ]

    operations = [
        migrations.AlterField(
            model_name='answeredform',
            name='at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, verbose_name='at'),
        ),
        migrations.AlterField(
            model_name='devicetoken',
            name='created_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, verbose_name='created at'),
        ),
        migrations.AlterField(
            model_name='devicetoken',
            name='refreshed_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, help_text='When the app last registered it.', verbose_name='refreshed at'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='created_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, verbose_name='created at'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='cutoff',
            field=models.DateTimeField(default=radiotalk.clock.by_default, help_text='Devices registered later are no targets.', verbose_name='cutoff'),
        ),
        migrations.AlterField(
            model_name='sendingswitch',
            name='changed_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, verbose_name='changed at'),
        ),
        migrations.AlterField(
            model_name='workerlease',
            name='expires_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, verbose_name='expires at'),
        ),
    ]
