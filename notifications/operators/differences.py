"""How the settings of two workers differ, in words."""

from typing import Any

# Among the settings that a worker shows, these say how it is: they differ without a change of any.
STATES = {"KEY_IS_OUTDATED"}


def differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return "NAME: before → after, …"; "" when they are the same."""
    names = [name for name in {**before, **after} if name not in STATES]
    changed = [name for name in names if before.get(name) != after.get(name)]
    return ", ".join(f"{name}: {before.get(name)} → {after.get(name)}" for name in changed)
