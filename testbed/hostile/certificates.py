"""Certificates for loopback, good and bad, from an authority of the test's own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

A_DAY = timedelta(days=1)
LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server shows: its certificate, and the key that belongs to it."""

    chain: Path
    key: Path


class Authority:
    """Signs certificates; whoever trusts `ca_file` trusts them."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(pem(self._signed(self._key, self._name, ends=A_DAY, names=None)))

    def issue(
        self,
        name: str,
        *,
        begins: timedelta = -2 * A_DAY,
        ends: timedelta = A_DAY,
        names: list[x509.GeneralName] | None = None,
    ) -> Certificate:
        """Return a certificate that begins and ends so long from now, for loopback or these."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issued = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}-key.pem")
        issued.chain.write_bytes(
            pem(self._signed(key, subject, begins=begins, ends=ends, names=names or [LOOPBACK]))
        )
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return issued

    def _signed(
        self,
        key: ec.EllipticCurvePrivateKey,
        subject: x509.Name,
        *,
        begins: timedelta = -2 * A_DAY,
        ends: timedelta,
        names: list[x509.GeneralName] | None,
    ) -> x509.Certificate:
        """Return a signed certificate: an authority's when it is for no names."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
        )
        if names is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> bytes:
    """Return it as a file has it."""
    return certificate.public_bytes(serialization.Encoding.PEM)
