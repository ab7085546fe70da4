"""The tests' settings: those of a laptop, whatever the environment says.

Only DATABASE_URL and REDIS_URL are taken from the environment: `testbed.engines` sets them.
"""

import atexit
import os
import shutil
import tempfile

media_root = tempfile.mkdtemp(prefix="radiotalk-media-")
atexit.register(shutil.rmtree, media_root, ignore_errors=True)

os.environ.update(
    DEBUG="on",
    ALLOWED_HOSTS="testserver,127.0.0.1,localhost",
    ENVIRONMENT="development",
    SECURE_SSL_REDIRECT="off",
    STAFF_SECOND_FACTOR="off",
    EMAIL_URL="memorymail://",
    MEDIA_ROOT=media_root,
    GOOGLE_APPLICATION_CREDENTIALS="",
    FCM_ENDPOINT="https://fcm.googleapis.com",
    FCM_CA_FILE="",
    # No test process that stands still for a while loses its transaction, or an answer of FCM's.
    NOTIFICATIONS_LEASE_TTL="900",
    FCM_TIMEOUT="900",
    # Tests of the caps set them (notifications/tests/test_caps.py); others post as they like.
    NOTIFICATIONS_PER_PROGRAM_PER_HOUR="0",
    NOTIFICATIONS_PER_PROGRAM_PER_DAY="0",
)
os.environ.setdefault("DATABASE_URL", "sqlite://:memory:")
# Nothing listens on port 1: tests that need Redis start their own.
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")

from .settings import *  # noqa: E402, F403
from .settings import DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # For a PostgreSQL that stands still: no test is about what libpq does then.
    DATABASES["default"]["OPTIONS"] |= {"connect_timeout": 120, "tcp_user_timeout": 0}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; no secret is at stake
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}  # no Redis
