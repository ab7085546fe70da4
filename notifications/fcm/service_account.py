"""What a service account file must hold, and in words what is wrong with one that cannot be used.

The system check and the worker both ask here. No part of what the file holds is ever told.
"""

import json
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .endpoint import is_address

NEEDED = ("client_email", "private_key", "project_id", "token_uri")

# Other JSON that Google gives to developers, by a name that it has.
OTHER_FILES = {
    "project_info": "is google-services.json, which belongs in the Android app",
    "installed": "is the file of an OAuth client",
    "web": "is the file of an OAuth client",
}

# It becomes a part of FCM's address. Old ones have a domain and a colon: `example.com:radio`.
PROJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")


def load(file: str) -> dict[str, Any]:
    """Return what the service account file of this name holds.

    Raise ValueError when it cannot be used. Its text ends a sentence whose subject is the file: it
    says what is wrong, and what to do.
    """
    if file.lstrip(" \t\r\n'\"").startswith("{") or "-----BEGIN" in file:
        raise ValueError(
            "holds the key itself instead of the name of its file: write the key into a file that "
            "only the service's user can read, and name that file"
        )
    try:
        text = Path(file).read_bytes().decode()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("is not JSON in UTF-8: download it again") from None
    except ValueError:  # a NUL, or a letter that no name of a file can have
        raise ValueError("is not the name of a file") from None
    return judged(text)


def judged(text: str) -> dict[str, Any]:
    """Return what the text of a service account file says; raise ValueError as `load` does."""
    if text.startswith("\ufeff"):
        raise ValueError("begins with a byte order mark: save it as UTF-8 without one")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON: download it again") from None
    if not isinstance(content, dict):
        raise ValueError("is no service account file: download it again")
    judge_type(content)
    judge_fields(content)
    judge_private_key(content["private_key"])
    return content


def judge_type(content: dict[str, Any]) -> None:
    """Raise ValueError for other JSON of Google's, which has no key of a service account."""
    for name, told in OTHER_FILES.items():
        if name in content:
            raise ValueError(f"{told}: take the key of a service account instead")
    kind = content.get("type", "service_account")
    if kind != "service_account":
        is_word = isinstance(kind, str) and re.fullmatch(r"[a-z_]{1,40}", kind)
        told = f"is of the type {kind}" if is_word else "is of another type"
        raise ValueError(f"{told}: take the key of a service account instead")


def judge_fields(content: dict[str, Any]) -> None:
    """Raise ValueError when a field is missing, or when nothing can be sent with it."""
    missing = [name for name in NEEDED if name not in content]
    if missing or "type" not in content:
        missing = missing or ["type"]
        raise ValueError(f"is no service account file: {', '.join(missing)} missing")
    for name in NEEDED:
        if not isinstance(content[name], str) or not content[name].strip():
            raise ValueError(f"has an empty {name}: download it again")
    if not PROJECT_ID.fullmatch(content["project_id"]):
        raise ValueError(
            "has a project_id that no project has: write it as the Firebase console shows it, "
            "without spaces, line breaks and slashes"
        )
    if not content["client_email"].isprintable() or "@" not in content["client_email"]:
        raise ValueError("has a client_email that is no address: download it again")
    if not is_address(content["token_uri"], schemes=("https",)):
        wrong = "without TLS" if is_address(content["token_uri"]) else "that is no address"
        raise ValueError(
            f"has a token_uri {wrong}: Google's is https://oauth2.googleapis.com/token"
        )


def judge_private_key(key: str) -> None:
    """Raise ValueError for a private key that cannot sign."""
    if "\\n" in key:
        raise ValueError(
            "has a private_key with a backslash and an n in place of each line break: something "
            "escaped it twice; download it again, and copy it as it is"
        )
    if "-----BEGIN" not in key:
        raise ValueError("has a private_key that is no PEM: download it again")
    try:
        loaded = serialization.load_pem_private_key(key.encode(), password=None)
    except TypeError:  # "Password was not given but private key is encrypted"
        raise ValueError("has an encrypted private_key: put in the decrypted one") from None
    except Exception:  # noqa: BLE001  (cryptography raises many kinds)
        raise ValueError(
            "has a private_key that is damaged or cut off: download it again"
        ) from None
    if not isinstance(loaded, RSAPrivateKey):
        raise ValueError("has a private_key that is no RSA key: download it again")
