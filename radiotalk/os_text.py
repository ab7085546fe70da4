"""Texts of the operating system, such as host names, which need not be UTF-8."""

import os


def storable(text: str) -> str:
    """Return the text as every database stores it: each byte that is not UTF-8 becomes U+FFFD.

    Python keeps such bytes as half surrogates (PEP 383), which neither a database nor JSON takes.
    """
    return os.fsencode(text).decode(errors="replace")
