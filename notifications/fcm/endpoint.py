"""Where FCM is, the way there, and how long an answer may take."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to POST, whom to trust, and how many seconds an answer may take.

    Raise ValueError for a URL that is not https, since a device token never leaves in the clear,
    and for one with a character that no header can carry, which would end every lane.
    """

    url: str
    ca_file: str  # "" for certifi's authorities
    timeout: float
    # http://name:password@host:port of an HTTP proxy; "" for none
    proxy: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme != "https" or not self.host:
            raise ValueError(f"FCM_ENDPOINT must be an https:// address, not {self.url!r}.")
        if not (self.url.isascii() and self.url.isprintable()) or " " in self.url:
            raise ValueError(
                f"FCM's address must be ASCII without spaces, not {self.url!r}: correct "
                "FCM_ENDPOINT, or the project_id in the service account file."
            )

    @property
    def host(self) -> str:
        """Return the name or address whose certificate is demanded."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Return the port, 443 when the URL has none."""
        return urlsplit(self.url).port or HTTPS_PORT

    @property
    def authority(self) -> str:
        """Return what `:authority` says: host and port as they are in the URL (RFC 9113, 8.3.1)."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def path(self) -> str:
        """Return what `:path` says."""
        return urlsplit(self.url).path or "/"

    @property
    def proxy_address(self) -> tuple[str, int]:
        """Return the proxy's host and port."""
        parts = urlsplit(self.proxy)
        return parts.hostname or "", parts.port or 0

    @property
    def proxy_credentials(self) -> str:
        """Return the proxy's `name:password`, "" when it has none."""
        parts = urlsplit(self.proxy)
        if parts.username is None:
            return ""
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
