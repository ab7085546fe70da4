"""What the checks found: a finding for each invariant, for people and for machines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MOST_EXAMPLES = 5


@dataclass
class Finding:
    """Whether an invariant holds, how often it is violated, and a few places to look at."""

    invariant: str  # "I1"
    promise: str
    violations: int = 0
    examples: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    not_checked: str = ""  # the reason, when it was not

    def add(self, example: str) -> None:
        """Count one violation."""
        self.add_all(1, [example])

    def add_all(self, count: int, examples: Iterable[str]) -> None:
        """Count so many violations of one kind, and keep some of these examples."""
        self.violations += count
        room = MOST_EXAMPLES - len(self.examples)
        self.examples += list(examples)[: max(room, 0)]

    def remark(self, text: str, *, count: int = 1) -> None:
        """Add a remark about something that is no violation, unless its count is 0."""
        if count:
            self.remarks.append(text)

    @property
    def verdict(self) -> str:
        """Return in a few words whether the invariant holds."""
        if self.violations:
            return f"VIOLATED {self.violations:,} times"
        return f"not checked: {self.not_checked}" if self.not_checked else "holds"


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, I1 first."""

    findings: tuple[Finding, ...]

    @property
    def violations(self) -> dict[str, int]:
        """Return how often each invariant that does not hold is violated; empty when all hold."""
        return {each.invariant: each.violations for each in self.findings if each.violations}

    def __getitem__(self, invariant: str) -> Finding:
        """Return the finding of one invariant ("I1")."""
        return next(each for each in self.findings if each.invariant == invariant)

    def lines(self) -> Iterator[str]:
        """Yield a table for people."""
        for each in self.findings:
            yield f"{each.invariant:<4}{each.promise:<24}{each.verdict}"
            yield from (f"      - {example}" for example in each.examples)
            yield from (f"      ({remark})" for remark in each.remarks)

    def as_json(self) -> dict[str, Any]:
        """Return one object for machines."""
        return {
            "holds": not self.violations,
            "invariants": {
                each.invariant: {
                    "promise": each.promise,
                    "checked": not each.not_checked,
                    "violations": each.violations,
                    "examples": each.examples,
                    "remarks": each.remarks,
                }
                for each in self.findings
            },
        }

    def __str__(self) -> str:
        """Return the table."""
        return "\n".join(self.lines())
