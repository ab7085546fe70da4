"""Service account files that cannot be used, each with the words that say why."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fcm_emulator.oauth import write_service_account

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PLAIN = serialization.NoEncryption()


@cache
def account() -> str:
    """Return the text of a service account file with which nothing is wrong."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "service-account.json"
        write_service_account(file, "https://oauth2.googleapis.com/token")
        return file.read_text()


@cache
def other_key() -> rsa.RSAPrivateKey:
    """Return a private key that is written down in ways that cannot be used."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encrypted() -> str:
    """Return a private key that only its password opens."""
    with_password = serialization.BestAvailableEncryption(b"x")
    return other_key().private_bytes(PEM, PKCS8, with_password).decode()


def elliptic() -> str:
    """Return a private key of another kind than RSA."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN).decode()


def public() -> str:
    """Return the half of a key that cannot sign."""
    return other_key().public_key().public_bytes(PEM, SPKI).decode()


def holding(**changed: Any) -> Callable[[], bytes]:
    """Return what makes a file with other fields: a function gets the right value, None removes."""

    def made() -> bytes:
        content = json.loads(account())
        for name, value in changed.items():
            if value is None:
                del content[name]
            else:
                content[name] = value(content[name]) if callable(value) else value
        return json.dumps(content).encode()

    return made


def fixed(content: bytes) -> Callable[[], bytes]:
    """Return what makes a file of just these bytes."""
    return lambda: content


def person(kind: str) -> Callable[[], bytes]:
    """Return what makes another kind of Google's credentials."""
    return fixed(json.dumps({"type": kind, "client_id": "1", "refresh_token": "1//x"}).encode())


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (fixed(b""), "is not JSON"),
    "a page": (fixed(b"<html>"), "is not JSON"),
    "deep": (fixed(b"[" * 100_000), "is not JSON"),
    "Latin-1": (lambda: account().encode() + b"\xff", "is not JSON in UTF-8"),
    "UTF-16": (lambda: account().encode("utf-16"), "is not JSON in UTF-8"),
    "a byte order mark": (lambda: account().encode("utf-8-sig"), "byte order mark: save it as"),
    "a list": (fixed(b"[]"), "is no service account file"),
    "a person's": (person("authorized_user"), "is of the type authorized_user: take the key"),
    "another cloud's": (person("external_account"), "is of the type external_account"),
    "borrowed": (person("impersonated_service_account"), "type impersonated_service_account"),
    "a type that is no word": (person("sEcReT-0123"), "is of another type"),
    "without a type": (holding(type=None), "type missing"),
    "the app's": (fixed(b'{"project_info": {}, "client": []}'), "is google-services.json"),
    "an OAuth client's": (fixed(b'{"installed": {"client_secret": "x"}}'), "of an OAuth client"),
    "without a project": (holding(project_id=None), "project_id missing"),
    "an empty project": (holding(project_id=""), "has an empty project_id"),
    "a blank project": (holding(project_id=" "), "has an empty project_id"),
    "a project that is null": (holding(project_id=lambda _: None), "has an empty project_id"),
    "a project that is a number": (holding(project_id=7), "has an empty project_id"),
    "a line break after the project": (holding(project_id="radio\n"), "no project has: write it"),
    "a line break in the project": (holding(project_id="ra\ndio"), "no project has: write it"),
    "a project of other letters": (holding(project_id="ラジオ"), "no project has: write it"),
    "a project with a slash": (holding(project_id="radio/talk"), "no project has: write it"),
    "a project with a space": (holding(project_id="radio talk"), "no project has: write it"),
    "a project with a question": (holding(project_id="radio?x"), "no project has: write it"),
    "a project above": (holding(project_id=".."), "no project has: write it"),
    "without an address": (holding(client_email=None), "client_email missing"),
    "an address that is none": (holding(client_email="radio"), "client_email that is no address"),
    "an address in two lines": (holding(client_email="a@b\n"), "client_email that is no address"),
    "a token_uri that is none": (holding(token_uri="oauth2"), "token_uri that is no address"),
    "a token_uri without TLS": (holding(token_uri="http://127.0.0.1/"), "token_uri without TLS"),
    "without a key": (holding(private_key=None), "private_key missing"),
    "an empty key": (holding(private_key=""), "has an empty private_key"),
    "a literal backslash and n": (
        holding(private_key=lambda key: key.replace("\n", "\\n")),
        "has a private_key with a backslash and an n in place of each line break",
    ),
    "half a key": (
        holding(private_key=lambda key: key[: len(key) // 2]),
        "has a private_key that is damaged or cut off",
    ),
    "a key without its end": (
        holding(private_key=lambda key: key.replace("-----END PRIVATE KEY-----\n", "")),
        "has a private_key that is damaged or cut off",
    ),
    "a key in other letters": (
        holding(private_key=lambda key: key.replace("A", "あ")),
        "has a private_key that is damaged or cut off",
    ),
    "no PEM": (holding(private_key="MIIE"), "has a private_key that is no PEM"),
    "an encrypted key": (holding(private_key=lambda _: encrypted()), "encrypted private_key: put"),
    "an elliptic key": (holding(private_key=lambda _: elliptic()), "is no RSA key"),
    "a public key": (holding(private_key=lambda _: public()), "is damaged or cut off"),
}
