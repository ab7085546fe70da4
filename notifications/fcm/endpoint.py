"""Where FCM is, the way there, and how long an answer may take."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to POST, whom to trust, and how many seconds an answer may take.

    Raise ValueError for a URL that is not https, since a device token never leaves in the clear,
    and for a proxy that is none. Neither address is shown: there may be a password in it.
    """

    url: str
    ca_file: str  # "" for certifi's authorities
    timeout: float
    # http://name:password@host:port of an HTTP proxy; "" for none
    proxy: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        # Whatever else HTTP/2 could not carry: FCM resets each stream, or each lane dies.
        if not is_address(self.url, schemes=("https",)) or not self.url.isascii():
            raise ValueError("FCM_ENDPOINT must be an https:// address in ASCII.")
        if self.proxy and not is_proxy(self.proxy):
            raise ValueError("FCM_PROXY is no address of an HTTP proxy.")

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


def is_address(url: str, *, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    """Return whether the URL has one of the schemes, a host, and no port that cannot be."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(is_one) and url.isprintable() and not set(url) & {" ", "\\"}


def is_proxy(url: str) -> bool:
    """Return whether the URL is an HTTP proxy's, with its port: requests would take another one."""
    if not is_address(url, schemes=("http",)):
        return False
    parts = urlsplit(url)
    # What follows the port was a part of a password with a "/", "?" or "#".
    is_complete = parts.path in ("", "/") and not parts.query and not parts.fragment
    return parts.port is not None and is_complete
