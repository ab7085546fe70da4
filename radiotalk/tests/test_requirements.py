"""What production installs is what requirements.txt asks for, each file known by its hash."""

import re
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from radiotalk.settings import BASE_DIR

# A pinned package of the lock, and how many hashes follow it. Some are for some machines only.
PINNED = re.compile(
    r"^([\w.-]+)==(\S+)(?: ; .+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def locked() -> dict[str, str]:
    """Return the versions in requirements.lock by package, of those with a hash."""
    text = (BASE_DIR / "requirements.lock").read_text()
    return {name: version for name, version, _hashes in PINNED.findall(text)}


def test_every_package_of_the_lock_has_a_hash() -> None:
    text = (BASE_DIR / "requirements.lock").read_text()

    assert len(locked()) == len(re.findall(r"^\S+==", text, re.M)) > 50


def test_the_lock_has_what_requirements_txt_allows() -> None:
    versions = locked()

    for line in (BASE_DIR / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            asked = Requirement(line)
            assert versions.get(asked.name, "nothing") in asked.specifier, f"make lock: {asked}"


@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0"])
def test_the_lock_is_whole_for_every_python(python: str) -> None:
    # redis needs async-timeout before 3.11.3, which Debian 12 has not: pip refused to install.
    machine = {"python_version": python.rpartition(".")[0], "python_full_version": python}
    versions = locked()
    needed = {
        canonicalize_name(asked.name)
        for name in versions
        for asked in map(Requirement, requires_if_there(name))
        if asked.marker is None or asked.marker.evaluate({**machine, "extra": ""})
    }

    assert needed - versions.keys() == set()


def requires_if_there(name: str) -> list[str]:
    """Return what an installed package requires; nothing for one that is for other machines."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []
