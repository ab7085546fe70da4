"""E-mail, which a forgotten password needs."""

from django.conf import settings


def is_sent() -> bool:
    """Return whether e-mails go anywhere; without EMAIL_URL production throws them away."""
    backend: str = settings.EMAIL_BACKEND
    return backend != "django.core.mail.backends.dummy.EmailBackend"
