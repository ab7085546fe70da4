"""allauth's forms, where the desk wants another word or default."""

from typing import Any

from allauth.account.forms import LoginForm, ResetPasswordForm
from allauth.account.internal.flows.login import perform_password_login
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from . import e_mail


class LogInForm(LoginForm):  # type: ignore[misc]  # has no types
    """Asks for name and password, by the field names of the admin's own form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["remember"]
        self.fields["login"].widget.attrs["autofocus"] = True

    def add_prefix(self, field_name: str) -> str:
        """Return what the field is called on the page."""
        return "username" if field_name == "login" else str(super().add_prefix(field_name))

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Log in, and leave alone how long the session lasts, which allauth would set anew."""
        self._login.redirect_url = redirect_url
        answer: HttpResponse = perform_password_login(request, self.user_credentials(), self._login)
        return answer


class ForgottenPasswordForm(ResetPasswordForm):  # type: ignore[misc]  # has no types
    """Writes to accounts that have a password; one without has none on purpose."""

    def clean_email(self) -> str:
        if not e_mail.is_sent():
            raise ValidationError(
                _("No e-mail is sent from here. Whoever manages accounts sets a new password.")
            )
        address: str = super().clean_email()
        self.users: list[User] = [user for user in self.users if user.has_usable_password()]
        return address


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # has no types
    """Adds what logs in by itself, unless somebody wants a mere second factor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["passwordless"].initial = True
        self.fields["name"].label = _("Name of the passkey")  # allauth's has no Japanese
