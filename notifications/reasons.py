"""Why something is as it is, in words: stored in English, said in the reader's language.

The worker, the API and the desk fill in a template (`TALK_DELETED`, `TOO_LATE % {…}`) and store the
text. The desk shows the text by `said`, which finds the template again and translates it. Logs, API
and commands show the text as it is stored.
"""

import re

from django.utils.translation import gettext

TEMPLATES: list[str] = []


def gettext_noop(text: str) -> str:
    """Return the text, marked for the catalogue (makemessages knows the name) and for `said`."""
    TEMPLATES.append(text)
    return text


# --- Dry run or live --------------------------------------------------------------------------

WRONG_ENVIRONMENT = gettext_noop("ENVIRONMENT is %(name)s; only production may send.")
NO_CREDENTIALS = gettext_noop("GOOGLE_APPLICATION_CREDENTIALS is not set.")
SWITCH_DRY_RUN = gettext_noop("The sending switch is set to dry run.")
SWITCH_WAS_LIVE = gettext_noop("The sending switch was live until %(until)s UTC.")
PROGRAM_DRY_RUN = gettext_noop("The program is set to dry run.")
# Translators: keep " (%(who)s)" at the end, with these brackets: the reason may have some, too.
LIVE = gettext_noop("Live: %(reason)s (%(who)s)")

# --- Why a notification is held -----------------------------------------------------------------

LARGE_AUDIENCE = gettext_noop(
    "Its audience is larger than the %(limit)s that %(who)s allowed when going live. "
    "Somebody else must release it, or cancel it."
)
NEEDS_APPROVAL = gettext_noop(
    "Its audience is larger than %(limit)s (NOTIFICATIONS_APPROVAL_AUDIENCE), and %(who)s went "
    "live. Another account must release it, or cancel it."
)
APPROVER_WENT_LIVE = gettext_noop(
    "%(who)s approved it, and has gone live since: another account must release it, or cancel it."
)
WANTED_AGAIN = gettext_noop(
    "%(who)s wants it sent again, and its audience is large: another account must release it, or "
    "cancel it."
)
NO_LONGER_LIVE = gettext_noop(
    "It was being sent live. %(objection)s Release it or cancel it."  # an objection above
)
CANNOT_BE_STARTED = gettext_noop("It cannot be started: %(error)s")
WORKERS_DIED = gettext_noop(
    "The worker died %(count)s times in a row while sending it, and recorded no answer in "
    "between. Look into the worker's log, then release or cancel."
)
MANY_UNREGISTERED = gettext_noop(
    "%(count)s of %(total)s answers are UNREGISTERED: are these the devices of this Firebase "
    "project, and is the list up to date? Check, then release or cancel. Released, it is not held "
    "for them again, and they are disabled."
)
MANY_MISMATCHED = gettext_noop(
    "%(count)s of %(total)s answers are SENDER_ID_MISMATCH: the credentials seem to be of another "
    "Firebase project. Correct them, then release."
)
MANY_INVALID = gettext_noop(
    "%(count)s of %(total)s answers are INVALID_ARGUMENT: FCM seems to refuse the message itself. "
    "Look at its title and text, then release or cancel."
)
MISCONFIGURED = gettext_noop(
    "Google answered %(code)s: the configuration is wrong, not the devices. %(advice)s "
    "Then release, or cancel."
)

MANY_MISCONFIGURED = gettext_noop(
    "%(count)s of %(total)s answers for %(platforms)s blame the configuration, most of them by "
    "%(code)s. %(advice)s Then release: these are attempted again, and it is not held for them "
    "again. Or cancel."
)
LATELY_MISCONFIGURED = gettext_noop(
    "Nobody on %(platforms)s is reached: %(count)s of the last %(total)s answers there blame the "
    "configuration, most of them by %(code)s. %(advice)s Then release: these are attempted again, "
    "and it is not held for them again. Or cancel."
)

# What FCM's code says of our configuration, and what to do about it.
ADVICE = {
    "UNAUTHENTICATED": gettext_noop("Is the service account's key revoked, or of another project?"),
    "CREDENTIALS_REFUSED": gettext_noop(
        "Google refused the service account: is its key revoked, or this machine's clock wrong?"
    ),
    "PERMISSION_DENIED": gettext_noop(
        "Is the FCM API enabled for the project, and may the service account send for it?"
    ),
    "NOT_FOUND": gettext_noop("Is the service account's project the one that FCM knows?"),
    "THIRD_PARTY_AUTH_ERROR": gettext_noop(
        "Renew the APNs key or the web push certificate in the Firebase console."
    ),
}
OTHER_ADVICE = gettext_noop("Check the credentials and the Firebase project.")

TOO_MANY_AN_HOUR = gettext_noop(
    "Its program may announce %(limit)s talks an hour, and this one is beyond that: the talk is "
    "posted, and its notification waits for an operator to release or cancel it."
)
TOO_MANY_A_DAY = gettext_noop(
    "Its program may announce %(limit)s talks a day, and this one is beyond that: the talk is "
    "posted, and its notification waits for an operator to release or cancel it."
)

# --- Why it ended without being sent ------------------------------------------------------------

TALK_DELETED = gettext_noop("Its talk was deleted.")
TALK_TOO_OLD = gettext_noop("The talk was posted too long ago to be announced.")
TOO_LATE = gettext_noop("Too late after %(age)s: %(claimed)s targets were claimed.")

# --- Why it goes on though it was done ------------------------------------------------------------

NOT_ACCEPTED_AFTER_ALL = gettext_noop(
    "A worker that was replaced says that some of the unknown were not accepted: they are "
    "attempted again."
)

# --- Why a device is disabled ---------------------------------------------------------------------

# What FCM's answer proved of the device, by the answer's meaning (fcm/outcomes.py).
REFUSED = {
    "unregistered": gettext_noop("FCM: unregistered"),
    "mismatched": gettext_noop("FCM: mismatched"),
    "invalid": gettext_noop("FCM: invalid"),
}
UNREGISTERED_BY_USER = gettext_noop("unregistered by its user")
DISABLED_BY = gettext_noop("Disabled by %(who)s")
TOO_MANY_DEVICES = gettext_noop(
    "Its user has %(limit)s other devices, which were refreshed later, and may have no more."
)


# --- Saying it ------------------------------------------------------------------------------------


def pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of the texts made of the template; its groups have the values' names."""
    escaped = re.escape(template)
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.*?)", escaped), re.DOTALL)


PATTERNS = [(template, pattern(template)) for template in TEMPLATES]

# What a talker may read. No template here has an operator's words, a name or our configuration.
FOR_TALKERS = {
    PROGRAM_DRY_RUN, TOO_MANY_AN_HOUR, TOO_MANY_A_DAY, TALK_DELETED, TALK_TOO_OLD, TOO_LATE,
}  # fmt: skip


def said(text: str) -> str:
    """Return a stored text in the reader's language; an operator's own words as they are.

    A value may be a reason itself, which is translated as well.
    """
    for template, looks in PATTERNS:
        if found := looks.fullmatch(text):
            values = {name: said(value) for name, value in found.groupdict().items()}
            return gettext(template) % values
    return text


def said_to_talker(text: str) -> str:
    """Return a stored text in the reader's language, "" for one that is not meant for talkers."""
    for_talkers = any(looks.fullmatch(text) for each, looks in PATTERNS if each in FOR_TALKERS)
    return said(text) if for_talkers else ""
