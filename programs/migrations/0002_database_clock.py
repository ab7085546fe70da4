"""Only what Django knows of the columns: their default comes from the database's clock now."""

import radiotalk.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('programs', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='clip',
            name='created_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, editable=False, verbose_name='created at'),
        ),
        migrations.AlterField(
            model_name='program',
            name='created_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, editable=False, verbose_name='created at'),
        ),
        migrations.AlterField(
            model_name='talk',
            name='posted_at',
            field=models.DateTimeField(default=radiotalk.clock.by_default, verbose_name='posted at'),
        ),
    ]
