"""I10: no device token, key or Authorization value in any log."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from accounts.models import ApiToken
from notifications.models import DeviceToken

from .evidence import CHUNK, Evidence, UnusableEvidenceError, told
from .report import Finding

BEARER = "Bearer "
# Secrets are looked up by their first BEGINNING characters; a shorter text is no secret.
BEGINNING = len(BEARER)
# Shorter lines of a private key are its frame or its end.
LEAST_KEY_LINE = 20  # characters

# By its beginning and then by itself: what each secret is.
Secrets = Mapping[str, Mapping[str, str]]


def check(evidence: Evidence) -> Finding:
    """Return where the given logs show a secret.

    The secrets are every device token of the database, the beginning of every API token (all of it
    is stored hashed alone), the lines of the service account's key, and "Bearer ". Pages and
    answers are not searched, and neither are logs for tokens that were deleted since.
    """
    finding = Finding("I10", "quiet")
    if not evidence.given.logs:
        finding.not_checked = "needs --log"
        return finding
    secrets = by_beginning(all_secrets(evidence.given.credentials))
    for log in evidence.given.logs:
        try:
            with log.open(errors="replace") as lines:
                for number, line in enumerate(lines, start=1):
                    for kind in shown_in(line, secrets):
                        finding.add(f"{log.name}:{number} shows {kind}")
        except OSError as error:
            raise UnusableEvidenceError(f"{log} cannot be read: {error}") from error
    return finding


def all_secrets(credentials: str) -> Iterator[tuple[str, str]]:
    """Yield each secret, and in words what it is."""
    yield BEARER, "an Authorization header"
    for token in DeviceToken.objects.order_by().values_list("token", flat=True).iterator(CHUNK):
        yield token, f"the device token {told(token)}"
    for beginning, number in (
        ApiToken.objects.order_by().values_list("token_key", "id").iterator(CHUNK)
    ):
        yield beginning, f"the API token {number}"
    for line in private_key_lines(credentials):
        yield line, "a line of the service account's key"


def private_key_lines(path: str) -> list[str]:
    """Return the lines of the key without its frame, none where there are no credentials."""
    if not path:
        return []
    try:
        key: str = json.loads(Path(path).read_text())["private_key"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # the system checks tell of credentials that cannot be used
    return [line for line in key.splitlines() if len(line) > LEAST_KEY_LINE and "---" not in line]


def by_beginning(secrets: Iterator[tuple[str, str]]) -> Secrets:
    """Return the secrets by their beginnings: a text is searched for all of them at once."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for secret, kind in secrets:
        if len(secret) >= BEGINNING:
            found[secret[:BEGINNING]][secret] = kind
    return found


def shown_in(text: str, secrets: Secrets) -> Iterator[str]:
    """Yield, for each secret in the text, what it is."""
    for at in range(len(text) - BEGINNING + 1):
        for secret, kind in secrets.get(text[at : at + BEGINNING], {}).items():
            if text.startswith(secret, at):
                yield kind
