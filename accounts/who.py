"""Who acts: an account, known by its id, since a name can be given to somebody else."""

import getpass
import os
import socket
from dataclasses import dataclass, replace

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from radiotalk.os_text import storable

from .address import address_of

MAX_NAME = 200  # characters, of every column that keeps who it was


@dataclass(frozen=True, slots=True)
class Who:
    """Who does an act, as it is compared (`account_id`) and as it is shown (`name`).

    A command on a host that names no account has None for `account_id`; only a request has an
    `address`, the client's.
    """

    name: str
    account_id: int | None = None
    address: str = ""

    def __post_init__(self) -> None:
        """Shorten the name to what columns take: it may be an account's, a user's and a host's."""
        object.__setattr__(self, "name", self.name[:MAX_NAME])

    def __str__(self) -> str:
        return self.name


def whoever(user: AbstractBaseUser | AnonymousUser, request: HttpRequest) -> Who:
    """Return the account that asks, by its own name."""
    return Who(user.get_username(), user.pk, address_of(request))


def operator(request: HttpRequest) -> Who:
    """Return who uses the desk: the admin lets nobody in without an account."""
    asks = whoever(request.user, request)
    return replace(asks, name=f"{asks.name} (admin)")


def on_this_host() -> Who:
    """Return the user and host that run a command; a user in a container may have no name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Who(storable(f"{name}@{socket.gethostname()}"))
