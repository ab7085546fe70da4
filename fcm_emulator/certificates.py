"""A certificate authority of the emulator's own, and a certificate for loopback.

Both are made together, and reused until shortly before they expire. The authority's key is thrown
away at once, so whoever trusts `ca.pem` trusts this one certificate and nothing else.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = timedelta(days=365)
RENEW_BEFORE: Final = timedelta(days=7)  # no certificate expires during a run of some days
NAMES: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of a directory: the authority for clients, the server's certificate and key."""

    ca: Path
    server: Path
    key: Path


def prepare(directory: Path, now: datetime) -> Certificates:
    """Return the directory's certificates, made anew when they expire within RENEW_BEFORE."""
    found = Certificates(
        directory / "ca.pem", directory / "server.pem", directory / "server-key.pem"
    )
    if not _are_valid(found, now):
        _make(found, now)
    return found


def _are_valid(found: Certificates, now: datetime) -> bool:
    """Return whether the files belong together and do not expire soon."""
    try:
        ca = x509.load_pem_x509_certificate(found.ca.read_bytes())
        server = x509.load_pem_x509_certificate(found.server.read_bytes())
        key = serialization.load_pem_private_key(found.key.read_bytes(), password=None)
        server.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 (whatever is wrong with the files, they are made anew)
        return False
    timely = server.not_valid_before_utc <= now < server.not_valid_after_utc - RENEW_BEFORE
    return timely and server.public_key() == key.public_key()


def _make(wanted: Certificates, now: datetime) -> None:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("Radiotalk FCM emulator: certificate authority")
    authority_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(issuer, issuer, ca_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _builder(_name("Radiotalk FCM emulator"), issuer, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(_issued_by(authority_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(wanted.key, key)
    wanted.server.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    wanted.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issued_by(authority_id: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id)


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
