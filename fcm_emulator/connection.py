"""Resets a connection under its client, as a router or a dying server does."""

import ctypes
import os
import socket

_libc = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED = bytes(16)  # a struct sockaddr whose family is AF_UNSPEC


def reset(client: str) -> None:
    """Reset the TCP connection of the client (`address:port`) with all its streams.

    The web server owns the socket and gives it to nobody, so the socket is looked up among the
    process's descriptors. Connecting a TCP socket to AF_UNSPEC makes Linux send RST at once
    (tcp_disconnect).
    """
    host, _, port = client.rpartition(":")
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if _peer(descriptor) == (host, int(port)):
            _libc.connect(descriptor, _UNSPECIFIED, len(_UNSPECIFIED))
            return


def _peer(descriptor: int) -> tuple[str, int] | None:
    """Return address and port of the other end; None when this is no connected socket."""
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        host, port = borrowed.getpeername()[:2]
    except (OSError, ValueError):
        return None
    finally:
        borrowed.detach()
    return host, port
