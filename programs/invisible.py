"""Which characters nobody sees: a title needs one that somebody does, a device token has none."""

import re
import unicodedata

# Control and format characters, half surrogates, and whatever separates.
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}

# What other categories have of Unicode's Default_Ignorable_Code_Point, such as fillers of Hangul
# and variation selectors; and Braille's blank.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)


def is_invisible(character: str) -> bool:
    """Return whether nobody sees the character.

    One that this Python does not know yet passes for visible: it may be a new emoji.
    """
    category = unicodedata.category(character)
    return category in INVISIBLE_CATEGORIES or bool(BLANK.match(character))


def first_invisible(text: str) -> str | None:
    """Return the code point of the first character that nobody sees, as `U+200B`."""
    return next((f"U+{ord(each):04X}" for each in text if is_invisible(each)), None)
