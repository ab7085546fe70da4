"""A disk that is soon full: a tmpfs of a few pages, which takes root to mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(directory: Path, *, size: int) -> Iterator[bool]:
    """Yield whether `directory` is a disk of so many bytes; the disk goes in the end."""
    directory.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", str(directory)]
    unmount = ["umount", "--lazy", str(directory)]  # lazy: a test may have left a file open
    is_mounted = os.geteuid() == 0 and subprocess.run(mount).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(unmount, check=True)
