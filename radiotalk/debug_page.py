"""What Django's page of an error does not show, nor its mail: settings that may hold a secret."""

import re

from django.views.debug import SafeExceptionReporterFilter

# Addresses may hold a password, and names of files may have been mistaken for their content.
OURS = "CREDENTIALS|CA_FILE|ENDPOINT|PROXY|URL"


class HidesSecrets(SafeExceptionReporterFilter):
    """Django's own, which hides settings and variables by their names, with names of ours."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|{OURS}", flags=re.IGNORECASE
    )
