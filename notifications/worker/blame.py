"""Blame: FCM's answers that blame our configuration, and when they hold a notification.

    401 THIRD_PARTY_AUTH_ERROR, 401 twice, 403, 404, 400 (fcm/outcomes.py: misconfigured)

FCM gives such an answer to a single device, too, or to one platform alone: a broken APNs key is the
iPhones' trouble. So they hold a notification at once only while nobody is reached, or nobody any
more, and no other platform follows. Else it goes on, and its send log is judged at its end,
platform by platform. What was set aside is attempted again when the notification is released.
"""

from collections import Counter
from collections.abc import Mapping
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
# A platform is heard of when it has this share of so many in a row: fewer may be strays of a
# platform that is fine.
HEARD_SHARE = 0.1

# At the end, of the answers for one platform.
LEAST = 10
MOST_SHARE = 0.20
# At the end, where nobody was reached on any platform, of all answers.
LEAST_OF_ALL = 2


class Blamed(NamedTuple):
    """For which platform FCM blamed us, and by which code."""

    platform: str
    code: str


@dataclass
class Blame:
    """The answers of one notification.

    `devices`, `answers` and `others_follow` are of the row in which no device was reached, on
    whatever platform; the rest is of the whole notification.
    """

    devices: dict[Blamed, set[int]] = field(default_factory=dict)  # those that blame us
    answers: Counter[str] = field(default_factory=Counter)  # of any kind, by platform
    others_follow: frozenset[str] = frozenset()  # others than these: asked of the database once
    total: Counter[str] = field(default_factory=Counter)  # accepted or refused, by platform
    is_whole: bool = False  # no other worker has begun it, so `total` lacks nothing
    anybody_is_reached: bool = False
    anybody_is_refused: bool = False  # the send log may have devices to judge at the end

    def count(self, meaning: Meaning, target: Target, code: str) -> None:
        """Count an answer."""
        if meaning is not Meaning.UNKNOWN:
            self.total[target.platform] += 1
        if meaning is Meaning.ACCEPTED:
            self.anybody_is_reached = True
            if self.answers:
                self.devices, self.answers, self.others_follow = {}, Counter(), frozenset()
            return
        self.answers[target.platform] += 1
        if meaning is Meaning.MISCONFIGURED:
            self.anybody_is_refused = True
            self.devices.setdefault(Blamed(target.platform, code), set()).add(target.device_id)

    def unreached(self, *, lanes: int) -> frozenset[str]:
        """Return the platforms of so many devices in a row that nobody seems to be reached."""
        if not self.devices:
            return frozenset()
        many = IN_A_ROW_A_LANE * lanes
        if self.anybody_is_reached:
            many = max(many, IN_A_ROW_LATER)
        count = by_platform(self._blamed)
        if count.total() < many:
            return frozenset()
        return frozenset(each for each in count if count[each] >= HEARD_SHARE * many)

    def reason(self, platforms: frozenset[str]) -> str:
        """Return why an operator must look, where these platforms are not reached."""
        return told(reasons.LATELY_MISCONFIGURED, self._blamed, self.answers, platforms)

    @property
    def _blamed(self) -> Counter[Blamed]:
        return Counter({blamed: len(devices) for blamed, devices in self.devices.items()})


def reason_at_the_end(blamed: Mapping[Blamed, int], answers: Counter[str], *, reached: bool) -> str:
    """Return why an operator must look at a notification with these answers, "" to end it.

    `answers` are those of any kind, by platform; `reached` says whether anybody was.
    """
    platforms = in_trouble(by_platform(blamed), answers, reached=reached)
    return told(reasons.MANY_MISCONFIGURED, blamed, answers, platforms) if platforms else ""


def in_trouble(count: Counter[str], answers: Counter[str], *, reached: bool) -> frozenset[str]:
    """Return the platforms on which too many of all answers blame us."""
    least, most = LEAST_OF_ALL, MOST_SHARE * answers.total()
    if not reached and count.total() >= least and count.total() > most:
        return frozenset(count)
    return frozenset(
        each for each in count if count[each] >= LEAST and count[each] > MOST_SHARE * answers[each]
    )


def by_platform(blamed: Mapping[Blamed, int]) -> Counter[str]:
    """Return how many devices of each platform these are."""
    count: Counter[str] = Counter()
    for each, devices in blamed.items():
        count[each.platform] += devices
    return count


def told(
    template: str, blamed: Mapping[Blamed, int], answers: Counter[str], platforms: frozenset[str]
) -> str:
    """Return the reason: how many of how many answers for these platforms blame us for what."""
    codes: Counter[str] = Counter()
    for each, devices in blamed.items():
        if each.platform in platforms:
            codes[each.code] += devices
    [(code, _)] = codes.most_common(1)
    return template % {
        "code": code,
        "count": codes.total(),
        "total": sum(answers[platform] for platform in platforms),
        "platforms": ", ".join(sorted(platforms)),
        "advice": reasons.ADVICE.get(code, reasons.OTHER_ADVICE),
    }
