"""Production's settings for a process that has Redis' address from a name server."""

from notifications.tests.faults import name_server
from radiotalk.settings import *  # noqa: F403

name_server.ask_it()
