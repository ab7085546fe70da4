"""Production's settings for a process with so many files open that select() knows no further."""

import os
import resource

from radiotalk.settings import *  # noqa: F403

FILES = 1_100

_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
OPENED = [os.open(os.devnull, os.O_RDONLY) for _ in range(FILES)]
