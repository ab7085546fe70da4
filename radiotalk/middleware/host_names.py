"""A request by a host name that ALLOWED_HOSTS lacks is answered 400, unless it is a probe.

Supervisors, load balancers and Prometheus ask by address, which no ALLOWED_HOSTS can list. Of the
views behind the probes none builds an address from the host name.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.common import CommonMiddleware


class HostNameMiddleware(CommonMiddleware):
    """Django's middleware that looks at the host name first of all."""

    def process_request(self, request: HttpRequest) -> Any:
        """Let a probe pass; else do as Django, which raises DisallowedHost."""
        if request.path_info in settings.PROBES:
            return None
        return super().process_request(request)
