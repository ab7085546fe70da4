"""The benchmarks' settings: the tests' settings, and fcm-django on the same database."""

from radiotalk.testing import *  # noqa: F403
from radiotalk.testing import INSTALLED_APPS as OURS

INSTALLED_APPS = [*OURS, "fcm_django"]
