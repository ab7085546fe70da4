"""Production's settings for who is to die at failpoints, which a check refuses in production."""

from radiotalk.settings import *  # noqa: F403

SILENCED_SYSTEM_CHECKS = ["notifications.E006"]
