"""A merge file's bytes to the merge that it is, or to the reason why it is none (docs/streets.md); pure functions."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from street_software.settings import Key, Settings

FILE_LIMIT_BYTES: Final = 4 * 1024
JAPAN: Final = timezone(timedelta(hours=9))
"""It has had no summer time since 1951."""
_BLOCK_BYTES: Final = 16
_MAC_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SIGNATURE_BYTES: Final = 64
_HEADER_LIMIT_BYTES: Final = 200
_MEMBER: Final = re.compile(r"[0-9A-Za-z$+./:-]{1,64}")
_POINTS: Final = re.compile(r"[1-9][0-9]{0,8}")
_NUMBER: Final = re.compile(r"[0-9]{20}")
_HEADER: Final = re.compile(r"MPF2\|([a-z0-9-]+)\|([a-z0-9]{1,20})\|(T[0-9A-Z]{12})\|([0-9]{20})\|([A-Za-z0-9-]{1,20})")


class Reason(StrEnum):
    """Why a file is not taken."""

    not_a_file = "not_a_file"
    """A link, a folder, a pipe."""
    too_big = "too_big"
    torn = "torn"
    """Its length cannot be that of a merge file."""
    not_decrypted = "not_decrypted"
    """By none of our keys: another street's, altered or torn."""
    old_key = "old_key"
    """Encrypted with a key of ours that is not valid now."""
    unknown_key = "unknown_key"
    other_street = "other_street"
    bad_signature = "bad_signature"
    bad_record = "bad_record"
    bad_hash = "bad_hash"
    future = "future"
    bad_name = "bad_name"
    """The file's name is not that of its number."""
    seen = "seen"
    """Its number was taken before."""
    number_reused = "number_reused"
    """Its number was taken before, with another ID or other points."""


class RefusedFileError(Exception):
    """The file is none that may be taken."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Merge:
    """Points for a member, under a transaction number (取引済番号); `key` is the one that it came under."""

    member_id: str
    points: int
    number: str
    key: Key


def read(content: bytes, settings: Settings, now: datetime) -> Merge:
    """The merge of this file. Raises RefusedFileError."""
    merge = _read_v2(content, settings, now) if settings.is_v2 else _read_v1(content, settings, now)
    if _made_at(merge.number) > now + settings.ahead_limit:
        raise RefusedFileError(Reason.future)
    return merge


def _read_v1(content: bytes, settings: Settings, now: datetime) -> Merge:
    """By whichever key fits: a v1 file does not say which one it is under."""
    has_mac = settings.mode == "aes-128-cbc-hmac-sha256"
    length = len(content) - _MAC_BYTES * has_mac
    if length < 2 * _BLOCK_BYTES or length % _BLOCK_BYTES:
        raise RefusedFileError(Reason.torn)
    found = Reason.not_decrypted
    for key in sorted(settings.keys, key=lambda key: key.valid_from, reverse=True):
        try:
            merge = _decrypted_v1(content, settings, key)
        except RefusedFileError as error:
            found = error.reason if found is Reason.not_decrypted and key.is_valid(now) else found
        else:
            if key.is_valid(now):
                return merge
            found = Reason.old_key
    raise RefusedFileError(found)


def _decrypted_v1(content: bytes, settings: Settings, key: Key) -> Merge:
    if settings.mode == "aes-128-cbc-hmac-sha256":
        content, mac = content[:-_MAC_BYTES], content[-_MAC_BYTES:]
        if not hmac.compare_digest(hmac.digest(key.mac_key, content, "sha256"), mac):
            raise RefusedFileError(Reason.not_decrypted)
    iv, encrypted = content[:_BLOCK_BYTES], content[_BLOCK_BYTES:]
    decryptor = Cipher(AES(key.cipher_key), CBC(iv)).decryptor()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        padded = decryptor.update(encrypted) + decryptor.finalize()
        record = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise RefusedFileError(Reason.not_decrypted) from None
    return _merge_v1(record, settings, key)


def _merge_v1(record: bytes, settings: Settings, key: Key) -> Merge:
    *parts, digest = _fields(record, settings, 4)
    joint = settings.delimiter if settings.hash_joining == "delimited" else ""
    text = joint.join([*parts, key.secret]).encode(settings.encoding)
    hashed = hashlib.md5(text, usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(hashed.encode(), digest.encode()):
        raise RefusedFileError(Reason.bad_hash)
    return _merge(parts, key)


def _read_v2(content: bytes, settings: Settings, now: datetime) -> Merge:
    """By the key that the header names; the hub's signature says that the points are the hub's."""
    line, end, _ = content[:_HEADER_LIMIT_BYTES].partition(b"\r\n")
    header = _HEADER.fullmatch(line.decode("ascii", "replace"))
    length = len(line) + len(end)
    if not end or header is None or len(content) < length + _NONCE_BYTES + _BLOCK_BYTES + _SIGNATURE_BYTES:
        raise RefusedFileError(Reason.torn)
    mode, street, _, number, key_id = header.groups()
    if mode != settings.mode:
        raise RefusedFileError(Reason.bad_record)
    if street != settings.street:
        raise RefusedFileError(Reason.other_street)
    key = next((key for key in settings.keys if key.key_id == key_id), None)
    if key is None:
        raise RefusedFileError(Reason.unknown_key)
    if not key.is_valid(now):
        raise RefusedFileError(Reason.old_key)
    signed, signature = content[:-_SIGNATURE_BYTES], content[-_SIGNATURE_BYTES:]
    _verify(settings.hub_key, signed, signature)
    nonce, encrypted = signed[length : length + _NONCE_BYTES], signed[length + _NONCE_BYTES :]
    try:
        record = AESGCM(key.cipher_key).decrypt(nonce, encrypted, signed[:length])
    except InvalidTag:
        raise RefusedFileError(Reason.not_decrypted) from None
    merge = _merge(_fields(record, settings, 3), key)
    if merge.number != number:
        raise RefusedFileError(Reason.bad_record)
    return merge


def _verify(hub_key: str, signed: bytes, signature: bytes) -> None:
    key = load_pem_public_key(hub_key.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise RefusedFileError(Reason.bad_signature)
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise RefusedFileError(Reason.bad_signature) from None


def _fields(record: bytes, settings: Settings, count: int) -> list[str]:
    try:
        text = record.decode(settings.encoding)
    except UnicodeDecodeError:
        raise RefusedFileError(Reason.bad_record) from None
    # What is written another way than it would be written anew is not the hub's.
    if text.encode(settings.encoding) != record or not text.endswith(settings.line_end):
        raise RefusedFileError(Reason.bad_record)
    parts = text.removesuffix(settings.line_end).split(settings.delimiter)
    if len(parts) != count or not all(part.isascii() for part in parts):
        raise RefusedFileError(Reason.bad_record)
    return parts


def _merge(parts: list[str], key: Key) -> Merge:
    member_id, points, number = parts
    if not (_MEMBER.fullmatch(member_id) and _POINTS.fullmatch(points) and _NUMBER.fullmatch(number)):
        raise RefusedFileError(Reason.bad_record)
    return Merge(member_id, int(points), number, key)


def _made_at(number: str) -> datetime:
    try:
        return datetime.strptime(number[:14], "%Y%m%d%H%M%S").replace(tzinfo=JAPAN)
    except ValueError:
        raise RefusedFileError(Reason.bad_record) from None
