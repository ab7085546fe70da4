"""The log-in of staff: allauth's, at the admin's address."""

from allauth.account.views import LoginView
from django.core.exceptions import PermissionDenied

from . import second_factor


class LogInView(LoginView):  # type: ignore[misc]  # has no types
    """Leads whoever is logged in on: the admin sends everybody here whom it does not let in."""

    def get_authenticated_redirect_url(self) -> str:
        """Return where to go from here; that is the second factor, where it has not been shown."""
        if not self.request.user.is_staff:
            raise PermissionDenied
        then: str = super().get_authenticated_redirect_url()
        if second_factor.is_shown(self.request):
            return then
        return second_factor.asked_at(self.request, then=then)
