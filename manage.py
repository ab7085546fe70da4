#!/usr/bin/env python
"""Django's command line; a wrong setting ends it with one line instead of a traceback."""

import os
import sys


def main() -> None:
    """Run the command in `sys.argv`; exit 1 with one line when a setting is wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "radiotalk.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from radiotalk.stderr import Stderr

    sys.stderr = Stderr()
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
