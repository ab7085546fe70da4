"""Production's settings for processes that die at failpoints, which a system check refuses."""

from radiotalk.settings import *  # noqa: F403

SILENCED_SYSTEM_CHECKS = ["notifications.E006"]
