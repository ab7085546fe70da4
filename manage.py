#!/usr/bin/env python
"""Django's command line, with configuration errors told in one line."""

import os
import sys


def main() -> None:
    """Run the command of `sys.argv`; exit 1 with one line when the settings are wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "radiotalk.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
