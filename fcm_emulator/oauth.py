"""The service account, and the access tokens that it gets for a signed request.

The exchange is https://developers.google.com/identity/protocols/oauth2/service-account: a JWT,
signed with the account's key (RS256), is traded for an access token that lasts an hour.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .answers import JSON_HEADERS, Answer

PROJECT_ID: Final = "radiotalk-emulator"
CLIENT_EMAIL: Final = f"firebase-adminsdk@{PROJECT_ID}.iam.gserviceaccount.com"
GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth signs for this audience whatever token_uri is, so Google's endpoints take both.
GOOGLE_TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
ACCESS_TOKEN_SECONDS: Final = 3599
ASSERTION_MAX_SECONDS: Final = 3600  # Google refuses a request that is valid for longer
CLOCK_SKEW_SECONDS: Final = 300  # between the client's clock and ours


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token that was given; a later one has a greater serial."""

    serial: int
    expires_at: float
    short_hash: str


class Refused(Exception):
    """A refused token request, with OAuth's error code and what was wrong."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The account that may send: the file of its key, and where it gets its access tokens.

    Whoever replaces the file rotates the key: the one before is revoked.
    """

    file: Path
    token_uri: str

    def changed_at(self) -> int:
        """Return when the file was written (ns), 0 without a file: a later time means a new key."""
        try:
            return self.file.stat().st_mtime_ns
        except OSError:
            return 0

    def public_key(self) -> rsa.RSAPublicKey:
        """Return that of the file's key; raise Refused while the file holds none."""
        content = _known_account(self.file)
        if content is None:
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        return _private_key(content).public_key()


def write_service_account(file: Path, token_uri: str) -> ServiceAccount:
    """Return the account in the file; the first start makes its key, and later ones keep it."""
    content = _known_account(file) or _new_account()
    content["token_uri"] = token_uri
    file.touch(mode=0o600)
    file.chmod(0o600)  # it may have been copied from elsewhere
    file.write_text(json.dumps(content, indent=2) + "\n")
    return ServiceAccount(file, token_uri)


def _known_account(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text())
        _private_key(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(content)


def _new_account() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": PROJECT_ID,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem.decode(),
        "client_email": CLIENT_EMAIL,
        "client_id": str(secrets.randbelow(10**21)),
    }


def _private_key(content: dict[str, Any]) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(content["private_key"].encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("a service account's key is RSA")
    return key


class Authority:
    """Gives access tokens to the service account, and finds them again when they are used."""

    def __init__(self, account: ServiceAccount) -> None:
        self._account = account
        self._seen = account.changed_at()
        self._given: dict[str, AccessToken] = {}
        self._serial = 0

    def exchange(self, form: bytes, now: float) -> Answer:
        """Return the answer to a token request at the Unix time `now`."""
        try:
            self._check(form, now)
        except Refused as refusal:
            return _json(400, error=refusal.code, error_description=str(refusal))
        self._forget_of_another_key()
        return _json(
            200,
            access_token=self._give(now),
            expires_in=ACCESS_TOKEN_SECONDS,
            token_type="Bearer",  # noqa: S106 (a kind of token)
        )

    def find(self, authorization: str, now: float) -> AccessToken | None:
        """Return the token in an Authorization header; None if it is unknown or has expired.

        A token of a key that was replaced is unknown from then on.
        """
        self._forget_of_another_key()
        found = self._given.get(authorization.removeprefix("Bearer "))
        return found if found and found.expires_at > now else None

    def _forget_of_another_key(self) -> None:
        if (changed_at := self._account.changed_at()) != self._seen:
            self._seen = changed_at
            self._given.clear()

    def _give(self, now: float) -> str:
        token = f"ya29.emulator-{secrets.token_urlsafe(48)}"
        self._serial += 1
        self._given = {name: it for name, it in self._given.items() if it.expires_at > now}
        self._given[token] = AccessToken(
            self._serial, now + ACCESS_TOKEN_SECONDS, short_hash(token)
        )
        return token

    def _check(self, form: bytes, now: float) -> None:
        """Raise Refused unless the form holds a request that our account signed just now."""
        given = parse_qs(form.decode(errors="replace"))
        grant_type = given.get("grant_type", [""])[0]
        if grant_type != GRANT_TYPE:
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {grant_type}")
        claims = _signed_claims(given.get("assertion", [""])[0], self._account.public_key())
        if claims.get("iss") != CLIENT_EMAIL:
            raise Refused("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") not in (self._account.token_uri, GOOGLE_TOKEN_URI):
            raise Refused("invalid_grant", "Invalid JWT: the audience is not this token endpoint")
        if not _is_timely(claims.get("iat"), claims.get("exp"), now):
            raise Refused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )


def _json(status: int, **content: Any) -> Answer:
    return Answer(status, json.dumps(content, indent=2).encode(), JSON_HEADERS)


def short_hash(secret: str) -> str:
    """Return eight characters that distinguish a secret from others and do not reveal it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def _signed_claims(assertion: str, key: rsa.RSAPublicKey) -> dict[str, Any]:
    """Return the claims of a JWT (RFC 7519) that the key signed with RS256, or raise Refused."""
    try:
        header, payload, signature = assertion.split(".")
        algorithm = json.loads(_decoded(header))["alg"]
        claims = json.loads(_decoded(payload))
        signed = _decoded(signature)
    except (ValueError, KeyError, TypeError):
        raise Refused("invalid_grant", "Invalid JWT: it cannot be read.") from None
    if algorithm != "RS256" or type(claims) is not dict:
        raise Refused("invalid_grant", "Invalid JWT: it must be signed with RS256.")
    try:
        key.verify(signed, f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refused("invalid_grant", "Invalid JWT Signature.") from None
    return dict(claims)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_timely(issued_at: Any, expires_at: Any, now: float) -> bool:
    """Return whether a request with these claims (Unix times) may be answered at the time `now`."""
    if not {type(issued_at), type(expires_at)} <= {int, float}:
        return False
    is_issued = issued_at <= now + CLOCK_SKEW_SECONDS
    return bool(is_issued and now < expires_at <= issued_at + ASSERTION_MAX_SECONDS)
