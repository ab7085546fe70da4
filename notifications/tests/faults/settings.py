"""Production's settings for processes that die at failpoints.

Production refuses the setting, so it is taken out of the environment and set here: only code can.
"""

import os

failpoints = os.environ.pop("NOTIFICATIONS_FAILPOINTS")

from radiotalk.settings import *  # noqa: E402, F403

NOTIFICATIONS_FAILPOINTS = failpoints.split(",")
