"""Production's settings on a SQLite database that cannot grow, as on a disk that is full."""

from radiotalk.settings import *  # noqa: F403
from radiotalk.settings import DATABASES

# Less than it has already means: no page more than it has.
DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA max_page_count=1;"
