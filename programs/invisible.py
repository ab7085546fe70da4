"""Which characters nobody sees: a title needs one that somebody does, a device token has none.

A title may hold invisible characters only where a script or an emoji needs them; all others hide
something, break its line or turn other text around.
"""

import re
import unicodedata
from collections.abc import Iterator

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
    return next((code_point(each) for each in text if is_invisible(each)), None)


def code_point(character: str) -> str:
    """Return how Unicode names the character's place: `U+200B`."""
    return f"U+{ord(character):04X}"


# --- In a title ------------------------------------------------------------------------------

# What a title must not hold, unless NEEDED finds it where it is needed.
UNTITLED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Variation selectors, and what is reserved for more such characters.
SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
UNTITLED = re.compile(f"[{SELECTORS}\ufff0-\ufff8\U000e0000-\U000e0fff]")
# Format characters that are seen, such as Arabic's number sign (Prepended_Concatenation_Mark).
SEEN = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"

# Blocks of the scripts whose letters join or stack: from Hebrew to Myanmar, from Tagalog to Vedic
# (Khmer and Mongolian among them), Indic and Arabic ones in later blocks.
JOINING = (
    "\u0590-\u109f\u1700-\u1cff\ua800-\uabff\ufb1d-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
IDEOGRAPHS = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
PICTURES = (
    "\u00a9\u00ae\u203c\u2049\u20e3\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001fbff"
)
NEEDED = re.compile(
    f"[{SEEN}]"
    # Joiners after a letter of such a script (Persian's می‌خواهم), and between emoji (families).
    f"|(?<=[{JOINING}])[\u200c\u200d]"
    f"|(?<=[{PICTURES}\ufe0f])\u200d(?=[{PICTURES}])"
    # One selector: of a picture, a digit of a keycap, a variant of an ideograph or letter.
    f"|(?<=[#*0-9{PICTURES}{JOINING}{IDEOGRAPHS}])[{SELECTORS}]"
    # Mongolian's vowel separator.
    "|(?<=[\u1820-\u18aa])\u180e"
    # The flags of England, Scotland, Wales and the like: tags that end.
    "|\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
)
# Left-to-right, right-to-left and Arabic letter mark. Unlike embeddings, overrides and isolates
# they turn no letter around; a title in Arabic or Hebrew needs them beside punctuation and Latin.
MARKS = "\u200e\u200f\u061c"


def untitled(text: str) -> Iterator[int]:
    """Yield the places of the characters that a title must not hold."""
    needed = {place for found in NEEDED.finditer(text) for place in range(*found.span())}
    may_be_marked = any(map(is_right_to_left, text))
    for place, character in enumerate(text):
        if place in needed or (may_be_marked and character in MARKS):
            continue
        if unicodedata.category(character) in UNTITLED_CATEGORIES or UNTITLED.match(character):
            yield place


def is_right_to_left(character: str) -> bool:
    """Return whether this is a letter of Arabic, Hebrew or another script from right to left."""
    is_letter = unicodedata.category(character).startswith("L")
    return is_letter and unicodedata.bidirectional(character) in ("R", "AL")


def first_untitled(title: str) -> str | None:
    """Return the code point of the first character that a title must not hold, as `U+202E`."""
    return next((code_point(title[place]) for place in untitled(title)), None)


def as_title(text: str) -> str:
    """Return the text without what a title must not hold; a line break becomes a space."""
    characters = list(text)
    for place in untitled(text):
        characters[place] = " " if text[place].isspace() else ""
    return "".join(characters).strip()
