"""Blame: FCM's answers that blame our configuration, and when they hold a notification.

    401 THIRD_PARTY_AUTH_ERROR, 401 twice, 403, 404, 400 (fcm/outcomes.py: misconfigured)

FCM gives such an answer to a single device, too. So they hold a notification at once only while
nobody is reached, or nobody any more. Else it goes on, and they are judged at its end, platform by
platform: a broken APNs key is the iPhones' trouble alone. What was set aside is attempted again
when the notification is released.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from notifications import reasons
from notifications.fcm.outcomes import Meaning

from .work import Target

# So many different devices for each lane, without one that was reached in between: nobody is
# reached. No more targets than that are answered before more are claimed (ledger.py), so only those
# that the lanes hold have been claimed by then.
IN_A_ROW_A_LANE = 20
# Where somebody had been reached before, far more: one listener may have many devices, whose
# numbers follow one another.
IN_A_ROW_LATER = 200

# At the end, of the answers for one platform.
LEAST = 10
MOST_SHARE = 0.20
# At the end, where nobody was reached on any platform.
LEAST_OF_ALL = 2

# FCM could not authenticate itself to Apple, or to a browser's push service: it says nothing of
# the other platforms (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
OF_ITS_PLATFORM = "THIRD_PARTY_AUTH_ERROR"


class Blamed(NamedTuple):
    """For which platform FCM blamed us, and by which code."""

    platform: str
    code: str


@dataclass
class Blame:
    """The answers of one notification that blame us, and how many there are in all."""

    devices: dict[int, Blamed] = field(default_factory=dict)
    # Their platforms, by device, since a device was last reached; and of those, the ones whose
    # answers speak of all platforms. Looked at in each turn, so that only their numbers are asked.
    in_a_row: dict[int, str] = field(default_factory=dict)
    of_everybody: dict[int, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)  # of any kind, by platform
    anybody_is_reached: bool = False
    others_follow: bool = False  # devices of platforms that were not heard of: go on for them

    def count(self, meaning: Meaning, target: Target, code: str) -> None:
        """Count an answer."""
        self.answers[target.platform] += 1
        if meaning is Meaning.MISCONFIGURED:
            self.devices[target.device_id] = Blamed(target.platform, code)
            self.in_a_row[target.device_id] = target.platform
            if code == OF_ITS_PLATFORM:
                self.of_everybody.pop(target.device_id, None)
            else:
                self.of_everybody[target.device_id] = target.platform
        elif meaning is Meaning.ACCEPTED:
            self.anybody_is_reached = True
            if self.in_a_row:
                self.in_a_row, self.of_everybody = {}, {}

    def reason(self, *, final: bool, lanes: int) -> str:
        """Return why an operator must look, "" to go on; `final` says that all answers are in."""
        platforms = self._in_trouble() if final else self._unreached(lanes)
        if not platforms:
            return ""
        blamed = [each for each in self.devices.values() if each.platform in platforms]
        code = most_frequent(each.code for each in blamed)
        told = {
            "code": code,
            "count": len(blamed),
            "total": sum(self.answers[platform] for platform in platforms),
            "platforms": ", ".join(sorted(platforms)),
            "advice": reasons.ADVICE.get(code, reasons.OTHER_ADVICE),
        }
        return reasons.MANY_MISCONFIGURED % told

    def platforms_alone(self, *, lanes: int) -> frozenset[str]:
        """Return the platforms that are not reached, where that says nothing of the others."""
        if len(self.of_everybody) >= self._many(lanes):
            return frozenset()
        return self._unreached(lanes)

    def _unreached(self, lanes: int) -> frozenset[str]:
        """Return the platforms of so many devices in a row that nobody seems to be reached."""
        row = self.of_everybody if self.others_follow else self.in_a_row
        return frozenset(row.values()) if len(row) >= self._many(lanes) else frozenset()

    def _many(self, lanes: int) -> int:
        many = IN_A_ROW_A_LANE * lanes
        return max(many, IN_A_ROW_LATER) if self.anybody_is_reached else many

    def _in_trouble(self) -> frozenset[str]:
        """Return the platforms on which too many were not reached, all in all."""
        count = Counter(each.platform for each in self.devices.values())
        least = LEAST if self.anybody_is_reached else LEAST_OF_ALL
        return frozenset(
            platform
            for platform in count
            if count[platform] >= least and count[platform] > MOST_SHARE * self.answers[platform]
        )


def most_frequent(codes: Iterable[str]) -> str:
    """Return the code that comes most often."""
    [(code, _)] = Counter(codes).most_common(1)
    return code
