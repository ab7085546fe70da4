"""Production's settings for a process that has Redis' address from a name server.

Redis is on loopback all the same, so it has neither the password nor the TLS that production wants.
"""

from notifications.tests.faults import name_server
from radiotalk.settings import *  # noqa: F403
from radiotalk.settings import REDIS_URL as ON_LOOPBACK

REDIS_URL = ON_LOOPBACK.replace("127.0.0.1", name_server.REDIS)
name_server.ask_it()
