"""Brakes: they stop a notification whose answers blame our configuration, not the devices.

Each notification has a tally of its answers. The tally says when the notification must be held, and
which refused devices may be disabled: none while there are so many refusals that a mistake of our
own explains them better.

What FCM answers when it blames us outright has a module of its own (blame.py).
"""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

from notifications import reasons
from notifications.fcm.outcomes import NOT_YET, REFUSED, Meaning
from notifications.models import Notification

from .blame import Blame
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


@dataclass
class Tally:
    """The answers of one notification so far, and the refused devices that await a judgement.

    `seen` are the brakes that held the notification until an operator released it. They are off
    now: otherwise a large notification would stop after every hundred answers.
    """

    seen: frozenset[str] = frozenset()
    answers: Counter[Meaning] = field(default_factory=Counter)
    suspects: dict[Meaning, list[Target]] = field(default_factory=dict)
    superseded: list[Target] = field(default_factory=list)  # UNREGISTERED; their users have others
    blame: Blame = field(default_factory=Blame)
    credentials_refused: bool = False

    @classmethod
    def of(cls, notification: Notification) -> "Tally":
        """Return the tally of a notification that begins, or goes on."""
        seen = frozenset(notification.brake.split())
        blame = Blame(
            anybody_is_reached=notification.sent_count + notification.simulated_count > 0,
            is_whole=not notification.target_count,
            anybody_is_refused=notification.rejected_count > 0
            and Meaning.MISCONFIGURED not in seen,
        )
        return cls(seen=seen, blame=blame)

    def count(self, meaning: Meaning, target: Target, code: str = "") -> None:
        """Count a final answer; an answer that leads to a retry says nothing about the device."""
        if meaning in NOT_YET:
            self.credentials_refused |= meaning is Meaning.CREDENTIALS_REFUSED
            return
        self.answers[meaning] += 1
        if meaning is not Meaning.MISCONFIGURED or meaning not in self.seen:
            self.blame.count(meaning, target, code)
        if meaning in REFUSED:
            self.suspects.setdefault(meaning, []).append(target)

    def excuse(self, superseded: Container[int]) -> None:
        """Count these UNREGISTERED devices no more: their users have younger registrations.

        After a change-over of the app to installation IDs most tokens are gone, and nothing is
        wrong. They are disabled at the end, where the younger one was reached.
        """
        suspects = self.suspects.get(Meaning.UNREGISTERED, [])
        left = [each for each in suspects if each.device_id not in superseded]
        self.superseded += [each for each in suspects if each.device_id in superseded]
        self.suspects[Meaning.UNREGISTERED] = left
        self.answers[Meaning.UNREGISTERED] -= len(suspects) - len(left)

    def objection(self, *, final: bool = False, blamed: str = "") -> Objection | None:
        """Return why the notification must be held, with what to do; None to go on.

        `final` says that all answers are in, `blamed` why it must be held if they blame our
        configuration (judging.py).
        """
        if self.credentials_refused:
            code = "CREDENTIALS_REFUSED"
            advice = reasons.ADVICE[code]
            return Objection(reasons.MISCONFIGURED % {"code": code, "advice": advice})
        if blamed:
            return Objection(blamed, brake=Meaning.MISCONFIGURED)
        total = self._total(final=final)
        many = self.answers.total() + len(self.superseded) >= UNREGISTERED_LEAST_ANSWERS
        if many and self._too_many(Meaning.UNREGISTERED, total, most_share=UNREGISTERED_MOST_SHARE):
            return self._objection(Meaning.UNREGISTERED, reasons.MANY_UNREGISTERED, total)
        if self._too_many(
            Meaning.MISMATCHED, total, least=MISMATCHED_LEAST, most_share=MISMATCHED_MOST_SHARE
        ):
            return self._objection(Meaning.MISMATCHED, reasons.MANY_MISMATCHED, total)
        if self._too_many(
            Meaning.INVALID, total, least=INVALID_LEAST, most_share=INVALID_MOST_SHARE
        ):
            return self._objection(Meaning.INVALID, reasons.MANY_INVALID, total)
        return None

    def to_disable(self, *, final: bool) -> dict[Meaning, list[Target]]:
        """Return the devices that may be disabled now; each is returned once.

        No device may be disabled before there are enough answers for the brake to judge by; `final`
        says that all answers are in. INVALID and MISMATCHED disable a device only where FCM has
        accepted the same for another one, MISMATCHED only at the end.
        """
        total = self.answers.total()
        proven = set()
        # While more old registrations were refused than devices reached, the brake cannot tell a
        # mistake of ours from a change-over.
        is_clear = len(self.superseded) <= self.answers[Meaning.ACCEPTED]
        if final or (is_clear and total >= UNREGISTERED_LEAST_ANSWERS):
            proven.add(Meaning.UNREGISTERED)
        if self.answers[Meaning.ACCEPTED] and (final or total >= INVALID_LEAST_ANSWERS):
            proven.add(Meaning.INVALID)
        if self.answers[Meaning.ACCEPTED] and final:
            proven.add(Meaning.MISMATCHED)
        return {meaning: self.suspects.pop(meaning) for meaning in proven & set(self.suspects)}

    def _total(self, *, final: bool) -> int:
        """Return of how many answers a share is.

        The refusal of an old registration counts as a good answer: its user has a younger one. At
        the end, when all answers are in, at most as many count as devices were reached.
        """
        old = len(self.superseded)
        reached = self.answers[Meaning.ACCEPTED]
        return self.answers.total() + (min(old, reached) if final else old)

    def _too_many(self, meaning: Meaning, total: int, *, most_share: float, least: int = 1) -> bool:
        count = self.answers[meaning]
        return meaning not in self.seen and count >= least and count > most_share * total

    def _objection(self, meaning: Meaning, template: str, total: int) -> Objection:
        share = {"count": self.answers[meaning], "total": total}
        return Objection(template % share, brake=meaning)
