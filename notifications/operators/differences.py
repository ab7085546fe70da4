"""How the settings of two workers differ, in words."""

from typing import Any


def differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return "NAME: before → after, …"; "" when they are the same."""
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(f"{name}: {before.get(name)} → {after.get(name)}" for name in changed)
