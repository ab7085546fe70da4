"""A web process has done its slow work before its first request."""

import os
import subprocess
import sys

LOOK = """
import gc, sys, radiotalk.wsgi
print(gc.get_freeze_count(), "radiotalk.urls" in sys.modules)
"""


def test_an_answer_does_not_wait_until_all_that_is_loaded_was_looked_through_for_garbage() -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "radiotalk.testing"}

    told = subprocess.run([sys.executable, "-c", LOOK], env=env, capture_output=True, check=True)

    frozen, views_are_loaded = told.stdout.split()
    assert int(frozen) > 50_000
    assert views_are_loaded == b"True"
