"""Brakes: they stop a notification whose answers blame our configuration, not the devices.

Each notification has a tally of its answers. The tally says when the notification must be held, and
which refused devices may be disabled: none while there are so many refusals that a mistake of our
own explains them better.
"""

from collections import Counter
from dataclasses import dataclass, field

from notifications import reasons
from notifications.fcm.outcomes import NOT_YET, REFUSED, Meaning

from .work import Target

# "More than 20 % UNREGISTERED among at least 100 targets": perhaps a wrong table was loaded.
UNREGISTERED_LEAST_ANSWERS = 100
UNREGISTERED_MOST_SHARE = 0.20

# A few tokens of another Firebase project are strays; many mean that our key is the wrong one.
MISMATCHED_LEAST = 10
MISMATCHED_MOST_SHARE = 0.20

# A body that FCM finds invalid is invalid for every device; these mean "most of a batch" of 25.
INVALID_LEAST = 13
INVALID_LEAST_ANSWERS = 25
INVALID_MOST_SHARE = 0.50


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an operator must look; `brake` names the kind of refusal that came too often."""

    reason: str
    brake: str = ""


def misconfigured(code: str) -> Objection:
    """Return the objection to go on after FCM's code blamed our configuration."""
    advice = reasons.ADVICE.get(code, reasons.OTHER_ADVICE)
    return Objection(reasons.MISCONFIGURED % {"code": code, "advice": advice})


@dataclass
class Tally:
    """The answers of one notification so far, and the refused devices that await a judgement.

    `seen` is the brake that held the notification until an operator released it. That brake is off
    now: otherwise a large notification would stop after every hundred answers.
    """

    seen: str = ""
    answers: Counter[Meaning] = field(default_factory=Counter)
    suspects: dict[Meaning, list[Target]] = field(default_factory=dict)

    def count(self, meaning: Meaning, target: Target) -> None:
        """Count a final answer; an answer that leads to a retry says nothing about the device."""
        if meaning in NOT_YET:
            return
        self.answers[meaning] += 1
        if meaning in REFUSED:
            self.suspects.setdefault(meaning, []).append(target)

    def objection(self) -> Objection | None:
        """Return why the notification must be held, with what to do; None to go on."""
        if self._too_many(
            Meaning.UNREGISTERED,
            least_answers=UNREGISTERED_LEAST_ANSWERS,
            most_share=UNREGISTERED_MOST_SHARE,
        ):
            return self._objection(Meaning.UNREGISTERED, reasons.MANY_UNREGISTERED)
        if self._too_many(
            Meaning.MISMATCHED, least=MISMATCHED_LEAST, most_share=MISMATCHED_MOST_SHARE
        ):
            return self._objection(Meaning.MISMATCHED, reasons.MANY_MISMATCHED)
        if self._too_many(Meaning.INVALID, least=INVALID_LEAST, most_share=INVALID_MOST_SHARE):
            return self._objection(Meaning.INVALID, reasons.MANY_INVALID)
        return None

    def to_disable(self, *, final: bool) -> dict[Meaning, list[Target]]:
        """Return the devices that may be disabled now; each is returned once.

        No device may be disabled before there are enough answers for the brake to judge by; `final`
        says that all answers are in. INVALID disables a device only after FCM has accepted the same
        body for another one, MISMATCHED only at the end.
        """
        total = self.answers.total()
        proven = set()
        if final or total >= UNREGISTERED_LEAST_ANSWERS:
            proven.add(Meaning.UNREGISTERED)
        if self.answers[Meaning.ACCEPTED] and (final or total >= INVALID_LEAST_ANSWERS):
            proven.add(Meaning.INVALID)
        if final:
            proven.add(Meaning.MISMATCHED)
        return {meaning: self.suspects.pop(meaning) for meaning in proven & set(self.suspects)}

    def _too_many(
        self, meaning: Meaning, *, most_share: float, least: int = 1, least_answers: int = 1
    ) -> bool:
        total = self.answers.total()
        count = self.answers[meaning]
        too_many = total >= least_answers and count >= least and count > most_share * total
        return too_many and meaning != self.seen

    def _objection(self, meaning: Meaning, template: str) -> Objection:
        share = {"count": self.answers[meaning], "total": self.answers.total()}
        return Objection(template % share, brake=meaning)
