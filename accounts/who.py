"""Who acts: an account, known by its id, since a name can be given to somebody else."""

import getpass
import os
import socket
from dataclasses import dataclass

from django.http import HttpRequest

from radiotalk.os_text import storable

from .address import address_of


@dataclass(frozen=True, slots=True)
class Who:
    """Who does an act, as it is compared (`account_id`) and as it is shown (`name`).

    A command on a host that names no account has None for `account_id`; only a request has an
    `address`, the client's.
    """

    name: str
    account_id: int | None = None
    address: str = ""

    def __str__(self) -> str:
        return self.name


def operator(request: HttpRequest) -> Who:
    """Return who uses the desk: the admin lets nobody in without an account."""
    return Who(
        name=f"{request.user.get_username()} (admin)",
        account_id=request.user.pk,
        address=address_of(request),
    )


def on_this_host() -> Who:
    """Return the user and host that run a command; a user in a container may have no name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Who(storable(f"{name}@{socket.gethostname()}"))
