"""A certificate authority of an installation's own: its servers prove themselves by it to its own processes only."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.errors import PermanentError

BEFORE: Final = timedelta(hours=1)
"""Clocks may differ by so much."""
OTHERS_MAY_READ: Final = 0o444
OURS_ALONE: Final = 0o600


class ForeignKeyError(PermanentError):
    """The authority's key is not one of ours: name another folder, or put our key back."""


class Authority:
    """One that lives in a folder: `ca.pem` and `ca.key`, and `<name>.pem` and `<name>.key` for each it issued.

    It is made where there is none. `valid` is for what is made from now on.
    """

    def __init__(self, folder: Path, valid: timedelta) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._valid = valid
        self._name = _named("MyKey Hub, this installation")
        key_file = folder / "ca.key"
        if key_file.exists():
            self._key = _kept(key_file)
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._signed(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
        _write(self.ca_file, own.public_bytes(Encoding.PEM), OTHERS_MAY_READ)
        _write(key_file, _pem(self._key), OURS_ALONE)

    @property
    def ca_file(self) -> Path:
        """What clients are told to trust."""
        return self._folder / "ca.pem"

    def issue(self, name: str, *hosts: str, mode: int = OURS_ALONE) -> tuple[Path, Path]:
        """A server's certificate and key: their files, `mode` the key's. `hosts` are DNS names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(
            _named(name),
            key.public_key(),
            x509.BasicConstraints(ca=False, path_length=None),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName([_general(host) for host in hosts]),
        )
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        _write(certificate, signed.public_bytes(Encoding.PEM), OTHERS_MAY_READ)
        _write(secret, _pem(key), mode)
        return certificate, secret

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - BEFORE,
            not_valid_after=now + self._valid,
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, SHA256())


def _kept(file: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ForeignKeyError(str(file))
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
