"""Merge files encrypted: v1 as the source has it (AES-128-CBC), v2 authenticated (AES-GCM) and signed by the hub."""

import hmac
import os
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from connectors.street.layout import Fields, header_of, record_of
from hub.keys import Signer
from schemas.streets import CipherMode, MergeKey, MergeLayout

IV_BYTES: Final = 16
NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Sealing:
    """With what a file is made: the street's layout and code, the key, and the hub's signature for v2."""

    street: str
    layout: MergeLayout
    key: MergeKey
    signer: Signer

    def name_of(self, number: str) -> str:
        """The file's name."""
        return self.layout.name_of(self.street, self.key.key_id, number)

    def file_of(self, fields: Fields, terminal_id: str, random: bytes | None = None) -> bytes:
        """The file's bytes. `random` is its IV or nonce, drawn anew for each file where none is given.

        Raises BadRecordError.
        """
        record = record_of(self.layout, fields, self.key.secret)
        if not self.layout.mode.is_v2:
            return self._v1(record, random or os.urandom(IV_BYTES))
        header = header_of(self.layout.mode, self.street, terminal_id, fields.number, self.key.key_id)
        nonce = random or os.urandom(NONCE_BYTES)
        signed = header + nonce + AESGCM(self.key.cipher_key).encrypt(nonce, record, header)
        return signed + self.signer.sign(signed)

    def has_made(self, content: bytes, fields: Fields, terminal_id: str) -> bool:
        """Whether this file is as it would be made now, but for what was drawn. Raises BadRecordError."""
        start, size = 0, IV_BYTES
        if self.layout.mode.is_v2:
            header = header_of(self.layout.mode, self.street, terminal_id, fields.number, self.key.key_id)
            start, size = len(header), NONCE_BYTES
        drawn = content[start : start + size]
        return len(drawn) == size and content == self.file_of(fields, terminal_id, drawn)

    def _v1(self, record: bytes, iv: bytes) -> bytes:
        padder = PKCS7(AES.block_size).padder()
        # CBC is what the source's streets can read; whether a file was altered is told by its hash, or the MAC.
        encryptor = Cipher(AES(self.key.cipher_key), CBC(iv)).encryptor()
        text = iv + encryptor.update(padder.update(record) + padder.finalize()) + encryptor.finalize()
        if self.layout.mode is CipherMode.cbc_hmac:
            return text + hmac.digest(self.key.mac_key or b"", text, "sha256")
        return text
