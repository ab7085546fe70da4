"""Whoever writes X-Forwarded-For is believed as far as our own proxies wrote it."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from accounts.address import address_of

PROXY = "10.0.0.1"


def address(forwarded: str | None, *, connected: str = PROXY) -> str:
    """Return the address of a request that came like this."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return address_of(RequestFactory(REMOTE_ADDR=connected).get("/", headers=headers))


@pytest.mark.parametrize("forwarded", [None, "1.2.3.4", "1.2.3.4, 5.6.7.8"])
def test_without_a_proxy_of_ours_the_header_is_not_read(forwarded: str | None) -> None:
    assert address(forwarded) == PROXY


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "1.2.3.4, 192.0.2.7", "192.0.2.7"),  # the first was forged
        (2, "1.2.3.4, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (1, "2001:DB8:0::7", "2001:db8::7"),
        (1, "::ffff:192.0.2.7", "192.0.2.7"),
        # What is no address, or not what our proxies write, is not believed.
        (1, None, PROXY),
        (1, "", PROXY),
        (1, "unknown", PROXY),
        (1, "192.0.2.7:1234", PROXY),
        (1, "fe80::1%eth0", PROXY),
        (1, "192.0.2.7\r\nevil", PROXY),
        (2, "192.0.2.7", PROXY),
    ],
)
def test_the_entry_of_our_outermost_proxy_counts(
    settings: Settings, proxies: int, forwarded: str | None, found: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert address(forwarded) == found


def test_a_proxy_on_a_unix_socket_has_no_address_of_its_own(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1

    assert address("192.0.2.7", connected="") == "192.0.2.7"
    assert address(None, connected="") == ""
