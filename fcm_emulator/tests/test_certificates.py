"""Certificates are kept while they hold, and made anew when they do not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from fcm_emulator.certificates import LIFETIME, RENEW_BEFORE, prepare

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_certificates_are_kept_between_starts(tmp_path: Path) -> None:
    prepare(tmp_path, NOW)
    first = contents(tmp_path)

    prepare(tmp_path, NOW + LIFETIME - RENEW_BEFORE - timedelta(seconds=1))

    assert contents(tmp_path) == first


def test_certificates_are_renewed_before_they_end(tmp_path: Path) -> None:
    first = prepare(tmp_path, NOW).ca.read_bytes()

    renewed = prepare(tmp_path, NOW + LIFETIME - RENEW_BEFORE)

    assert renewed.ca.read_bytes() != first


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server-key.pem"])
@pytest.mark.parametrize("damage", ["missing", "garbled", "another's"])
def test_files_that_do_not_belong_together_are_made_anew(
    tmp_path: Path, name: str, damage: str
) -> None:
    file = tmp_path / name
    prepare(tmp_path, NOW)
    if damage == "missing":
        file.unlink()
    elif damage == "garbled":
        file.write_bytes(b"-----BEGIN")
    else:
        other = tmp_path / "other"
        other.mkdir()
        prepare(other, NOW)
        file.write_bytes((other / name).read_bytes())

    found = prepare(tmp_path, NOW)

    ca = x509.load_pem_x509_certificate(found.ca.read_bytes())
    server = x509.load_pem_x509_certificate(found.server.read_bytes())
    server.verify_directly_issued_by(ca)


def test_the_authoritys_key_is_kept_nowhere(tmp_path: Path) -> None:
    prepare(tmp_path, NOW)

    with_keys = [name for name, content in contents(tmp_path).items() if b"PRIVATE" in content]
    assert with_keys == ["server-key.pem"]


def test_only_the_owner_can_read_the_key(tmp_path: Path) -> None:
    assert prepare(tmp_path, NOW).key.stat().st_mode & 0o077 == 0
