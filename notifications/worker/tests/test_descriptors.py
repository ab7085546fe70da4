"""Too low a limit of open files is raised as far as it may be, and told when that is not enough."""

import subprocess
import sys

import pytest

from radiotalk.settings import BASE_DIR

# Ten lanes need 112.
SCRIPT = """
import logging, resource
from notifications.worker.descriptors import make_room

logging.basicConfig(format="%(levelname)s %(message)s limit=%(limit)s needed=%(needed)s")
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
make_room(lanes=10)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def start_with(*, soft: int, hard: int) -> tuple[str, str]:
    """Return the limits of a process that needed room, and what it logged."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(soft=soft, hard=hard)],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize(
    ("soft", "hard", "limits"),
    [(64, 500, "112 500"), (64, 112, "112 112"), (200, 500, "200 500")],
)
def test_a_limit_that_is_too_low_is_raised_as_far_as_needed(
    soft: int, hard: int, limits: str
) -> None:
    assert start_with(soft=soft, hard=hard) == (limits, "")


def test_a_limit_that_may_not_be_raised_far_enough_is_told() -> None:
    told = "WARNING descriptors.scarce limit=80 needed=112"

    assert start_with(soft=64, hard=80) == ("80 80", told)
