"""A certificate authority of an installation's own: its servers prove themselves by it to its own processes only."""

import ipaddress
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.accounts import account_name
from hub.errors import PermanentError

BEFORE: Final = timedelta(hours=1)
"""Clocks may differ by so much."""
OTHERS_MAY_READ: Final = 0o444
OURS_ALONE: Final = 0o600
FOLDER_OF_OURS: Final = 0o700
OTHERS_BITS: Final = 0o077
KEY_FILE: Final = "ca.key"
CA_FILE: Final = "ca.pem"


class ForeignKeyError(PermanentError):
    """The authority's key is not one of ours: name another folder, or put our key back."""


class MissingKeyError(PermanentError):
    """A certificate has to be made, and the authority's key is not here."""


class UnfitPairError(PermanentError):
    """A certificate and a key of one name do not belong together."""


class OpenFolderError(PermanentError):
    """A folder for secrets has to be our own, with no others let in: name a new folder."""


class Authority:
    """One that lives in a folder: `ca.pem` and `ca.key`, and `<name>.pem` and `<name>.key` for each it issued.

    It is made where there is none; the folder is closed to others. `valid` is for what is made from now on.
    """

    def __init__(self, folder: Path, valid: timedelta) -> None:
        """Without its key it issues nothing, and what it issued stays. Raises ForeignKeyError, OpenFolderError."""
        _close(folder)
        self._folder = folder
        self._valid = valid
        self._name = _named("MyKey Hub, this installation")
        key_file = folder / KEY_FILE
        self._key = _kept(key_file) if key_file.exists() else None
        if not self.ca_file.exists():
            self._begin(key_file)
        elif self._key is not None and _public_of(_certificate(self.ca_file)) != _bytes_of(self._key.public_key()):
            raise ForeignKeyError(f"{key_file} is not the key of {self.ca_file}")

    def _begin(self, key_file: Path) -> None:
        """The key first: where only that is there, a certificate is made for it again."""
        if self._key is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
            _write(key_file, _pem(self._key), OURS_ALONE)
        own = self._signed(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
        _write(self.ca_file, own.public_bytes(Encoding.PEM), OTHERS_MAY_READ)

    @property
    def ca_file(self) -> Path:
        """What clients are told to trust."""
        return self._folder / CA_FILE

    def has(self, name: str) -> bool:
        """Whether there is a certificate of this name with its key; where one is gone, both have to be made.

        Raises UnfitPairError: which of the two is wrong, and whether it can be had again, is not for us to say.
        """
        certificate, secret = self._pair(name)
        if not (certificate.exists() and secret.exists()):
            return False
        try:
            signed = _certificate(certificate)
            fits = _public_of(signed) == _bytes_of(load_pem_private_key(secret.read_bytes(), None).public_key())
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UnfitPairError(f"{certificate} or {secret.name} cannot be read: {error}") from error
        if not fits:
            raise UnfitPairError(
                f"{secret} is not the key of {certificate.name}: put in the one that is, or delete both"
            )
        return True

    def issue(self, name: str, *hosts: str, mode: int = OURS_ALONE) -> tuple[Path, Path]:
        """A server's certificate and key: their files, `mode` the key's. `hosts` are DNS names or addresses.

        They come in the place of those that there were, both or neither. Raises MissingKeyError.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(
            _named(name),
            key.public_key(),
            x509.BasicConstraints(ca=False, path_length=None),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName([_general(host) for host in hosts]),
        )
        certificate, secret = self._pair(name)
        # Whoever is killed on the way leaves no certificate, and both are made again: never two that do not fit.
        certificate.unlink(missing_ok=True)
        _write(secret, _pem(key), mode)
        _write(certificate, signed.public_bytes(Encoding.PEM), OTHERS_MAY_READ)
        return certificate, secret

    def _pair(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        if self._key is None:
            raise MissingKeyError(
                f"{self._folder / KEY_FILE} is not here: put it back from where it is kept, run this again, and take it"
                f" away again. Where it is lost, delete {self.ca_file.name} and every certificate that was made by it"
            )
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


def _close(folder: Path) -> None:
    try:
        folder.mkdir(mode=FOLDER_OF_OURS, parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OpenFolderError(f"{folder}: {error.strerror}; name a folder of your own, or a new one") from error
    try:
        _close_opened(folder, opened)
    finally:
        os.close(opened)


def _close_opened(folder: Path, opened: int) -> None:
    status = os.fstat(opened)
    if status.st_uid != os.geteuid():
        raise OpenFolderError(
            f"{folder} is the account {account_name(status.st_uid)}'s, who can read and replace what is in it: name a"
            f" new folder, or have it given to {account_name(os.geteuid())} (chown)"
        )
    if not stat.S_IMODE(status.st_mode) & OTHERS_BITS:
        return
    held = os.listdir(opened)
    # Others may need what is in it: /etc, or /tmp, must not be closed because somebody mistyped.
    if held and not {KEY_FILE, CA_FILE} & set(held):
        raise OpenFolderError(
            f"{folder} is open to others and holds what is not ours: name a new folder, or close it (chmod 700)"
        )
    os.fchmod(opened, FOLDER_OF_OURS)


def _kept(file: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ForeignKeyError(str(file))
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate(file: Path) -> x509.Certificate:
    """The first in it: a chain's own is that of the key."""
    return x509.load_pem_x509_certificate(file.read_bytes())


def _public_of(certificate: x509.Certificate) -> bytes:
    return _bytes_of(certificate.public_key())


def _bytes_of(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, content: bytes, mode: int) -> None:
    """In one piece or not at all."""
    work = path.with_name(f".{path.name}.new")
    work.unlink(missing_ok=True)
    with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
    work.replace(path)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
