"""Write docs/access.md anew: `python -m radiotalk.tests.access`."""

import logging
import os

import django


def main() -> None:
    """Ask everything in a database of its own, and write what was answered."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "radiotalk.testing"
    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment

    from .page import PAGE, written
    from .people import on_stage

    setup_test_environment(debug=False)
    connection.creation.create_test_db(verbosity=0)
    logging.disable()
    with on_stage() as cast:
        PAGE.write_text(written(PAGE.read_text(), cast))


if __name__ == "__main__":
    main()
