"""What production installs is what requirements.txt asks for, each file known by its hash."""

import re

from packaging.requirements import Requirement

from radiotalk.settings import BASE_DIR

# A pinned package of the lock, and how many hashes follow it.
PINNED = re.compile(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)


def locked() -> dict[str, str]:
    """Return the versions in requirements.lock by package, of those with a hash."""
    text = (BASE_DIR / "requirements.lock").read_text()
    return {name: version for name, version, _hashes in PINNED.findall(text)}


def test_every_package_of_the_lock_has_a_hash() -> None:
    text = (BASE_DIR / "requirements.lock").read_text()

    assert len(locked()) == text.count("==") > 50


def test_the_lock_has_what_requirements_txt_allows() -> None:
    versions = locked()

    for line in (BASE_DIR / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            asked = Requirement(line)
            assert versions.get(asked.name, "nothing") in asked.specifier, f"make lock: {asked}"
