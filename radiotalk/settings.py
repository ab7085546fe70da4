"""The settings, and the only reader of the environment; each is told in docs/operations.md.

They fail closed: without DEBUG a missing SECRET_KEY or ALLOWED_HOSTS stops the start.
"""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off"}


def boolean(name: str, *, default: bool) -> bool:
    """Return the setting; unlike `env.bool`, which reads "treu" as False, raise on a typo."""
    word = env.str(name, default="").strip().lower()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    if word == "":
        return default
    raise ImproperlyConfigured(f"{name} is {word!r}: say on or off.")


def required(name: str, *, in_debug: str) -> str:
    """Return the setting; with DEBUG fall back on `in_debug`, without it raise."""
    value: str = env.str(name, default="")
    if value or DEBUG:
        return value or in_debug
    raise ImproperlyConfigured(
        f"{name} is not set. Set it in the environment or in .env (.env.example shows how), "
        "or set DEBUG=on on a laptop."
    )


def number(name: str, *, default: int, least: int, most: int | None = None) -> int:
    """Return the whole number; raise when it is none, below `least` or above `most`."""
    text = env.str(name, default=str(default))
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise ImproperlyConfigured(f"{name} is {text!r}: say a whole number of at least {least}.")
    if most is not None and value > most:
        raise ImproperlyConfigured(f"{name} is {text!r}: say a whole number of at most {most}.")
    return value


def choice(name: str, *, default: str, among: tuple[str, ...]) -> str:
    """Return the setting; raise when it is none of `among`."""
    value: str = env.str(name, default=default)
    if value not in among:
        raise ImproperlyConfigured(f"{name} is {value!r}: say one of {', '.join(among)}.")
    return value


def time_zone(name: str, *, default: str) -> str:
    """Return the setting; raise when there is no such time zone."""
    value: str = env.str(name, default=default)
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ImproperlyConfigured(
            f"{name} is {value!r}: say a time zone such as Asia/Tokyo."
        ) from error
    return value


# --- The site -------------------------------------------------------------------------------

DEBUG = boolean("DEBUG", default=False)
SECRET_KEY = required("SECRET_KEY", in_debug="for-a-laptop-only-never-in-production-" + "x" * 20)
ALLOWED_HOSTS = [
    host.strip()
    for host in required("ALLOWED_HOSTS", in_debug="localhost,127.0.0.1,[::1]").split(",")
]
# What may be sent for real: only `production` can go live (notifications/policy.py).
ENVIRONMENT = choice(
    "ENVIRONMENT", default="development", among=("development", "staging", "production")
)

INSTALLED_APPS = [
    "rest_framework.authtoken",  # first: notifications.admin takes its pages away
    "notifications",
    "programs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

MIDDLEWARE = [
    "radiotalk.middleware.request_limit.limit_requests",
    "radiotalk.middleware.null_bytes.refuse_null_bytes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "radiotalk.urls"
WSGI_APPLICATION = "radiotalk.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "notifications.admin.banner.sending",
            ],
        },
    },
]

# --- The worker -----------------------------------------------------------------------------

NOTIFICATIONS_MAX_WORKERS = number("NOTIFICATIONS_MAX_WORKERS", default=10, least=1)
NOTIFICATIONS_BATCH_SIZE = number("NOTIFICATIONS_BATCH_SIZE", default=25, least=1, most=100)
NOTIFICATIONS_MAX_PER_MINUTE = number("NOTIFICATIONS_MAX_PER_MINUTE", default=600_000, least=1)
# FCM keeps a message for four weeks at most.
NOTIFICATIONS_MAX_AGE = number("NOTIFICATIONS_MAX_AGE", default=3600, least=1, most=2_419_200)
NOTIFICATIONS_LEASE_TTL = number("NOTIFICATIONS_LEASE_TTL", default=15, least=1, most=3600)
# A 5xx of FCM's is retried; `hold` records it as unknown instead, for who fears doubles more.
NOTIFICATIONS_ON_5XX = choice("NOTIFICATIONS_ON_5XX", default="retry", among=("retry", "hold"))
# Where a test has a process die: `after_claim=kill` (notifications/failpoints.py).
NOTIFICATIONS_FAILPOINTS: list[str] = env.list("NOTIFICATIONS_FAILPOINTS", default=[])

# Where systemd wants to hear that the worker is alive (sd_notify(3)); systemd sets it.
NOTIFY_SOCKET: str = env.str("NOTIFY_SOCKET", default="")

# --- The database: the truth ----------------------------------------------------------------

DATABASE_SCHEMES = ("postgres://", "postgresql://", "sqlite://")


def postgresql_options() -> dict[str, Any]:
    """Return libpq's parameters; those in DATABASE_URL win."""
    return {
        "connect_timeout": 10,  # seconds
        # A connection whose other end is gone is noticed within some 10 s.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds
        # A worker that is stopped within a claim would keep the lease's row locked, and nobody
        # could take over; PostgreSQL ends its transaction when its lease is over as well.
        # And a claim is on the disk before its first byte is sent, whatever the server's default.
        "options": f"-c idle_in_transaction_session_timeout={NOTIFICATIONS_LEASE_TTL}s"
        # Compiling a plan takes longer than any query here.
        " -c synchronous_commit=on -c jit=off",
    }


def database_address() -> dict[str, Any]:
    """Return what DATABASE_URL says; raise, without showing it, when it is no address."""
    default = f"sqlite:///{VAR_DIR}/radiotalk.sqlite3"
    try:
        # Before django-environ looks at it, which warns of what it does not know, password and all.
        if not env.str("DATABASE_URL", default=default).startswith(DATABASE_SCHEMES):
            raise ValueError
        address: dict[str, Any] = env.db("DATABASE_URL", default=default)
    except ValueError:
        raise ImproperlyConfigured(
            "DATABASE_URL is no address: say postgres://USER:PASSWORD@HOST:5432/NAME, "
            "with %2F for / and %23 for # in the password."
        ) from None
    return address


def database() -> dict[str, Any]:
    """Return Django's configuration of DATABASE_URL."""
    config = database_address()
    if config["ENGINE"] == "django.db.backends.sqlite3":
        # WAL: readers and the writer do not block one another. IMMEDIATE: a transaction that
        # will write waits for its turn at its start instead of failing in its middle.
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,  # seconds to wait for another writer
            # FULL: a claim is on the disk before its first byte is sent.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        if not config["NAME"].startswith(("file:", ":memory:")):
            Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    else:
        config["OPTIONS"] = postgresql_options() | config.get("OPTIONS", {})
        config["CONN_HEALTH_CHECKS"] = True
        config["CONN_MAX_AGE"] = 60  # seconds a web thread keeps its connection
    return config


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: only wakes the worker up --------------------------------------------------------

# The default is the server that `make run` starts.
REDIS_URL: str = env.str("REDIS_URL", default="redis://127.0.0.1:16379/0")

# --- FCM ------------------------------------------------------------------------------------

GOOGLE_APPLICATION_CREDENTIALS: str = env.str("GOOGLE_APPLICATION_CREDENTIALS", default="")
FCM_ENDPOINT: str = env.str("FCM_ENDPOINT", default="https://fcm.googleapis.com").rstrip("/")
# Trusted instead of the public authorities, for FCM_ENDPOINT and the credentials' token_uri.
FCM_CA_FILE: str = env.str("FCM_CA_FILE", default="")
# One attempt in all. FCM's engineers raised theirs to 15 s "to prevent duplicates".
FCM_TIMEOUT = number("FCM_TIMEOUT", default=20, least=15, most=3600)

# --- Audio ----------------------------------------------------------------------------------

# Set to nothing it is the default: "" would be this directory, with .env in it, and is served.
MEDIA_ROOT = BASE_DIR / (env.str("MEDIA_ROOT", default="") or "var/media")
MEDIA_URL = "media/"
AUDIO_MAX_BYTES = number("AUDIO_MAX_BYTES", default=200 * 1024 * 1024, least=1)
AUDIO_MAX_SECONDS = number("AUDIO_MAX_SECONDS", default=3 * 3600, least=1)
FILE_UPLOAD_PERMISSIONS = 0o644

# --- Static files: served by the project itself, without a build step ------------------------

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

# --- Languages and time ----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "radiotalk" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = time_zone("TIME_ZONE", default="UTC")

# --- Security ---------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = boolean("SECURE_SSL_REDIRECT", default=ENVIRONMENT == "production")
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL_REDIRECT else 0  # one year
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL_REDIRECT
SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["radiotalk.api.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "radiotalk.api.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Radiotalk API",
    "DESCRIPTION": "Programs, talks, clips and devices; every posted talk notifies its listeners.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
}

# --- Logs: one line an event, for a person or, with LOG_FORMAT=json, for a machine --------------

LOG_FORMAT = choice("LOG_FORMAT", default="text", among=("text", "json"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "radiotalk.logs.TextFormatter"},
        "json": {"()": "radiotalk.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
