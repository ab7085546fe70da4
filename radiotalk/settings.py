"""The settings, and the only reader of the environment; docs/operations.md explains each.

A wrong setting stops the start, and so does a missing SECRET_KEY or ALLOWED_HOSTS without DEBUG.
Production refuses more (production.py).
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from .env import Env
from .production import LAPTOP_KEY, refuse_unsafe

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = Env()
env.read_file(BASE_DIR / ".env")  # what is set in the environment stays

# --- The site -------------------------------------------------------------------------------

DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.required("SECRET_KEY", fallback=LAPTOP_KEY if DEBUG else None)
# Keys before, newest first: what was signed or hashed with one of them stays valid.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
host_names = env.required("ALLOWED_HOSTS", fallback="localhost,127.0.0.1,[::1]" if DEBUG else None)
ALLOWED_HOSTS = [name.strip() for name in host_names.split(",")]
# Only `production` can send for real (notifications/policy.py).
ENVIRONMENT = env.choice(
    "ENVIRONMENT", default="development", among=("development", "staging", "production")
)

INSTALLED_APPS = [
    "allauth",  # before accounts, which unregisters its pages from the admin
    "allauth.account",
    "allauth.mfa",
    "notifications",
    "programs",
    "accounts",
    "radiotalk.admin_site.SiteConfig",  # django.contrib.admin with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",  # of allauth's pages
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "accounts.log_ins.LogInsConfig",  # axes
    "corsheaders",
    "knox",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "radiotalk.middleware.headers.add_headers",
    "corsheaders.middleware.CorsMiddleware",
    "radiotalk.middleware.body_limit.limit_bodies",
    "radiotalk.middleware.methods.refuse_other_methods",
    "radiotalk.middleware.request_limit.limit_requests",
    "radiotalk.middleware.null_bytes.refuse_null_bytes",
    "radiotalk.middleware.odd_values.OddValueMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "radiotalk.middleware.host_names.HostNameMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "radiotalk.middleware.body_limit.guard_desk_upload",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it answers in the place of a log-in's view
]

ROOT_URLCONF = "radiotalk.urls"
# They answer whoever asks: by any host name or address, and without TLS.
PROBES = ["/healthz", "/readyz", "/metrics"]
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

# What the page of an error hides, which DEBUG shows.
DEFAULT_EXCEPTION_REPORTER_FILTER = "radiotalk.debug_page.HidesSecrets"

# --- The worker -----------------------------------------------------------------------------

NOTIFICATIONS_MAX_WORKERS = env.number("NOTIFICATIONS_MAX_WORKERS", default=10, least=1)
NOTIFICATIONS_BATCH_SIZE = env.number("NOTIFICATIONS_BATCH_SIZE", default=25, least=1, most=100)
NOTIFICATIONS_MAX_PER_MINUTE = env.number("NOTIFICATIONS_MAX_PER_MINUTE", default=600_000, least=1)
# Seconds. FCM keeps a message for four weeks at most.
NOTIFICATIONS_MAX_AGE = env.number("NOTIFICATIONS_MAX_AGE", default=3600, least=1, most=2_419_200)
# Seconds.
NOTIFICATIONS_LEASE_TTL = env.number("NOTIFICATIONS_LEASE_TTL", default=15, least=1, most=3600)
# FCM may have delivered a notification that it answers with a 5xx. `retry` sends it again, and
# somebody may get it twice; `hold` records it as unknown, and somebody may not get it at all.
NOTIFICATIONS_ON_5XX = env.choice("NOTIFICATIONS_ON_5XX", default="retry", among=("retry", "hold"))
# A live notification with more targets waits until a second account approves it; 0 for none.
NOTIFICATIONS_APPROVAL_AUDIENCE = env.number(
    "NOTIFICATIONS_APPROVAL_AUDIENCE", default=0, least=0, most=2**31 - 1
)
# How many notifications of one program may ring in an hour and in a day; 0 for no cap. One beyond
# is held (notifications/caps.py).
NOTIFICATIONS_PER_PROGRAM_PER_HOUR = env.number(
    "NOTIFICATIONS_PER_PROGRAM_PER_HOUR", default=6, least=0, most=10_000
)
NOTIFICATIONS_PER_PROGRAM_PER_DAY = env.number(
    "NOTIFICATIONS_PER_PROGRAM_PER_DAY", default=24, least=0, most=10_000
)
# Devices of one user that are sent to: one more disables the one refreshed longest ago.
NOTIFICATIONS_DEVICES_PER_USER = env.number("NOTIFICATIONS_DEVICES_PER_USER", default=20, least=1)
# Places where a test has a process die, as `after_claim=kill` (notifications/failpoints.py).
NOTIFICATIONS_FAILPOINTS: list[str] = env.list("NOTIFICATIONS_FAILPOINTS", default=[])

# Where on loopback Prometheus reads the worker's metrics; 0 for nowhere.
METRICS_PORT = env.number("METRICS_PORT", default=0, least=0, most=65_535)

# The socket by which systemd hears that the worker is alive (sd_notify(3)); systemd sets it.
NOTIFY_SOCKET: str = env.str("NOTIFY_SOCKET", default="")

# --- The database: the truth ----------------------------------------------------------------


def postgresql_options() -> dict[str, Any]:
    """Return libpq's parameters; DATABASE_URL may overrule each.

    What safety rests on is not among them: sessions set it themselves (database_session.py).
    """
    return {
        "connect_timeout": 10,  # seconds
        # A connection whose other end is gone is noticed within some 10 s.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds
    }


def database() -> dict[str, Any]:
    """Return Django's configuration of DATABASE_URL."""
    config = env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR}/radiotalk.sqlite3")
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
        config.setdefault("CONN_HEALTH_CHECKS", True)
        config.setdefault("CONN_MAX_AGE", 60)  # seconds a web thread keeps its connection
        # Django would open them outside of transactions, for a form's choices for instance, and
        # PgBouncer in transaction mode loses them.
        config.setdefault("DISABLE_SERVER_SIDE_CURSORS", True)
    return config


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: only wakes the worker up --------------------------------------------------------

# The default is the server that `make run` starts.
REDIS_URL: str = env.str("REDIS_URL", default="redis://127.0.0.1:16379/0")
# What limits of attempts count, for all web processes together; an empty cache when Redis is away.
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "radiotalk.cache.RedisCache", "KEY_PREFIX": "radiotalk"}
}

# --- FCM ------------------------------------------------------------------------------------

GOOGLE_APPLICATION_CREDENTIALS: str = env.str("GOOGLE_APPLICATION_CREDENTIALS", default="")
FCM_ENDPOINT: str = env.str("FCM_ENDPOINT", default="https://fcm.googleapis.com").rstrip("/")
# Trusted instead of the public authorities, for FCM_ENDPOINT and the credentials' token_uri.
FCM_CA_FILE: str = env.str("FCM_CA_FILE", default="")
# The HTTP proxy on the way to FCM and to the token endpoint: http://NAME:PASSWORD@HOST:PORT. Those
# of the environment (https_proxy) are ignored.
FCM_PROXY: str = env.str("FCM_PROXY", default="")
# Seconds from a request's start to its answer. FCM's engineers raised theirs to 15 s "to prevent
# duplicates".
FCM_TIMEOUT = env.number("FCM_TIMEOUT", default=20, least=15, most=3600)

# --- Audio ----------------------------------------------------------------------------------

# An empty setting means the default: "" would be this directory, whose .env would be served.
MEDIA_ROOT = BASE_DIR / (env.str("MEDIA_ROOT", default="") or "var/media")
MEDIA_URL = "media/"
AUDIO_MAX_BYTES = env.number("AUDIO_MAX_BYTES", default=200 * 1024 * 1024, least=1)
AUDIO_MAX_SECONDS = env.number("AUDIO_MAX_SECONDS", default=3 * 3600, least=1)
# Of all recordings of one user's programs.
AUDIO_MAX_BYTES_PER_USER = env.number("AUDIO_MAX_BYTES_PER_USER", default=20 * 1024**3, least=1)
PROGRAMS_PER_USER = env.number("PROGRAMS_PER_USER", default=50, least=1)
FILE_UPLOAD_PERMISSIONS = 0o644
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "programs.disk.TemporaryFileHandler",
]

# --- How long things are kept ------------------------------------------------------------------

# Days until `manage.py prune` deletes what has ended.
RETENTION_DAYS = env.number("RETENTION_DAYS", default=90, least=1, most=36_500)

# --- Static files: served by the project itself, without a build step ------------------------

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

# --- Languages and time ----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "radiotalk" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", default="UTC")

# --- Security ---------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=ENVIRONMENT == "production")
SECURE_REDIRECT_EXEMPT = [f"^{path[1:]}$" for path in PROBES]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL_REDIRECT else 0  # one year
# Neither can be taken back within a year: the other hosts of the domain may not speak TLS.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.boolean("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # which ask for the two
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT
# A browser takes a cookie named so only over TLS, and from this host alone. It is SameSite=Lax, as
# is Django's default: a link in an alert leads to the desk of whoever has logged in.
COOKIE_PREFIX = "__Host-" if SECURE_SSL_REDIRECT else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}django_language"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no cookie of its own
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")

# Nothing inline: scripts and styles are static files (tests/browser/test_policy.py).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "media-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

# --- Log-ins ----------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses whoever is locked out
    "django.contrib.auth.backends.ModelBackend",
]
AXES_HANDLER = "accounts.lockout.Handler"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.answer"
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.counted_address"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False  # accounts/admin/log_in.py shows its tables, and lets nobody change them
AXES_VERBOSE = False
# How many proxies of ours append to X-Forwarded-For (accounts/address.py).
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", default=0, least=0, most=10)
# Seconds: a working day (accounts/sessions.py).
SESSION_COOKIE_AGE = 12 * 3600

# --- Web pages of other origins: they may use the API, with a token --------------------------

CORS_ALLOWED_ORIGINS = env.https_origins("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["authorization", "content-type", "idempotency-key"]
CORS_EXPOSE_HEADERS = ["Location", "Retry-After"]

# --- Log-in of staff: allauth's, by password, passkey, an app's code or a recovery code -----------

# Without it a password alone opens the desk, as on a laptop.
STAFF_SECOND_FACTOR = env.boolean("STAFF_SECOND_FACTOR", default=ENVIRONMENT == "production")

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
LOGOUT_REDIRECT_URL = "account_login"

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.LogInForm",
    "reset_password": "accounts.forms.ForgottenPasswordForm",
}
ACCOUNT_SIGNUP_ENABLED = False
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login": None}  # accounts/lockout.py bounds failures, and only those
# Whoever types another's address would have us write to it.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
# allauth's own would keep each address that an account ever had, and write to all of them.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa")
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300  # seconds for which a second factor is fresh

MFA_ADAPTER = "accounts.adapters.FactorAdapter"
MFA_FORMS = {"add_webauthn": "accounts.forms.AddPasskeyForm"}
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # without it a passkey is one factor, not two
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Radiotalk"
MFA_TOTP_TOLERANCE = 1  # the code before and after: a phone's clock is seconds wrong
MFA_ALLOW_UNVERIFIED_EMAIL = True  # accounts are made by the desk: nobody signs up in their name

# --- E-mail: for a forgotten password ------------------------------------------------------------

# The default prints an e-mail, with a link that sets a password, so production has another.
vars().update(
    env.email(
        "EMAIL_URL", default="dummymail://" if ENVIRONMENT == "production" else "consolemail://"
    )
)
EMAIL_TIMEOUT = 10  # seconds, as long as a page waits for the mail server
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="webmaster@localhost")

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiTokenAuthentication",
        "radiotalk.sessions.HeaderSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["radiotalk.api.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "radiotalk.api.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 50,
    "DEFAULT_THROTTLE_RATES": {"devices": "60/hour"},  # of a user
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# API tokens (accounts/models/api_token.py); knox has no table of its own here.
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105  (no password)
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {
    "SECURE_HASH_ALGORITHM": "accounts.token_hash.keyed_hash",
    "AUTO_REFRESH": True,
    "TOKEN_TTL": timedelta(days=90),  # without use
    "AUTO_REFRESH_MAX_TTL": timedelta(days=365),  # in all
    "MIN_REFRESH_INTERVAL": 60,  # seconds between two writes of a token's last use
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Radiotalk API",
    "DESCRIPTION": "Programs, talks, clips and devices; every posted talk notifies its listeners.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    # What is sent and what is answered differ: a recording is sent as a file, and answered as its
    # address.
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "radiotalk.api_schema.tell_errors",
    ],
}

# --- Logs: one line an event, for a person or, with LOG_FORMAT=json, for a machine --------------

LOG_FORMAT = env.choice("LOG_FORMAT", default="text", among=("text", "json"))
# Which stream leads to systemd's journal, as DEVICE:INODE (systemd.exec(5)); systemd sets it.
JOURNAL_STREAM: str = env.str("JOURNAL_STREAM", default="")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "radiotalk.logs.TextFormatter"},
        "json": {"()": "radiotalk.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "radiotalk.stderr.StderrHandler",
            "formatter": LOG_FORMAT,
            "journal_stream": JOURNAL_STREAM,
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

# --- What was set in vain, and what production refuses (the end: all settings are read by now) ----

MISSPELT_SETTINGS = env.misspelt()
if ENVIRONMENT == "production":
    refuse_unsafe(globals())
