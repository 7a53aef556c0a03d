"""The test vectors of merge files, `python -m tests.connectors.street.vectors > docs/contracts/merge/vectors.json`.

Keys and numbers are of no street. A vendor checks its own program with them: what it must read, what it must refuse.
"""

import base64
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from connectors.street.cipher import IV_BYTES, Sealing
from connectors.street.layout import Fields
from hub.keys import Signer
from schemas.streets import CipherMode, IdKind, MergeKey, MergeLayout

SIGNER: Final = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STREET: Final = "honmachi"
TERMINAL: Final = "T232343000001"
AT: Final = "2017-10-02T10:15:30+09:00"
"""When the vectors are valid."""
VALID_FROM: Final = datetime(2017, 4, 1, tzinfo=UTC)
FIELDS: Final = Fields("520625", 300, "20171002101530000042")
AHEAD: Final = FIELDS._replace(number="20171003101530000042")
"""A day after the vectors are valid."""
SECRET: Final = "本町 honmachi 2017"
LAYOUTS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"hash_joining": "bare", "delimiter": ";", "line_end": ""},
    {"encoding": "cp932", "delimiter": "\t", "line_end": "\n"},
    {"encoding": "utf-16-le", "delimiter": "|"},
)


def key_of(mode: CipherMode, key_id: str = "2017-1", first: int = 0) -> MergeKey:
    """A key that is nobody's: its bytes count up."""
    return MergeKey(
        key_id=key_id,
        valid_from=VALID_FROM,
        valid_to=datetime(2018, 4, 1, tzinfo=UTC),
        cipher_key=bytes(range(first, first + mode.key_bytes)),
        secret=SECRET,
        mac_key=bytes(range(64, 96)) if mode is CipherMode.cbc_hmac else None,
    )


def sealing(layout: MergeLayout, **changes: Any) -> Sealing:  # noqa: ANN401 - the fields of Sealing
    """Of the vectors' street."""
    made: dict[str, Any] = {"street": STREET, "layout": layout, "key": key_of(layout.mode), "signer": SIGNER}
    return Sealing(**made | changes)


def unreadable(made: Sealing, fields: Fields, keys: Iterable[MergeKey]) -> bytes:
    """A file of CBC that none of these keys decrypts; of others a wrong key sees a right padding, once in 256 times."""
    while True:
        content = made.file_of(fields, TERMINAL)
        if not any(_is_padded(content, key) for key in keys):
            return content


def _is_padded(content: bytes, key: MergeKey) -> bool:
    decryptor = Cipher(AES(key.cipher_key), CBC(content[:IV_BYTES])).decryptor()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        unpadder.update(decryptor.update(content[IV_BYTES:]))
        unpadder.finalize()
    except ValueError:
        return False
    return True


def vectors() -> dict[str, Any]:
    """The document."""
    taken = [_taken(MergeLayout(mode=mode, **more)) for mode, more in product(CipherMode, LAYOUTS)]
    taken.append(_taken(MergeLayout(id_kind=IdKind.mykey_id), FIELDS._replace(member_id="ABCD2345")))
    refused = [one for mode in CipherMode for one in _refused(MergeLayout(mode=mode))]
    return {
        "about": "Merge files of MyKey Hub, docs/streets.md. Bytes are in hexadecimal, files in Base64.",
        "at": AT,
        "hub_key": SIGNER.verifier.pem,
        "taken": taken,
        "refused": refused,
    }


def _taken(layout: MergeLayout, fields: Fields = FIELDS) -> dict[str, Any]:
    made = sealing(layout)
    content = made.file_of(fields, TERMINAL, _random(layout))
    return {
        **_settings(made),
        "name": made.name_of(fields.number),
        "member_id": fields.member_id,
        "points": fields.points,
        "number": fields.number,
        "random": _random(layout).hex(),
        "file": _text(content),
    }


def _refused(layout: MergeLayout) -> list[dict[str, Any]]:
    """Each is refused by a street with these settings, for this reason."""
    made = sealing(layout)
    content = made.file_of(FIELDS, TERMINAL, _random(layout))
    is_v2 = layout.mode.is_v2
    foreign = sealing(layout, street="ekimae", key=key_of(layout.mode, first=100))
    future = made.file_of(AHEAD, TERMINAL, _random(layout))
    cases = {
        "a byte of the ciphertext altered": (_flip(content, -70 if is_v2 else 20), None),
        "the last byte missing": (content[:-1], "torn" if not is_v2 else None),
        "another street's": (foreign.file_of(FIELDS, TERMINAL, _random(layout)), "other_street" if is_v2 else None),
        "made a day ahead": (future, "future"),
    }
    if is_v2:
        forged = sealing(layout, signer=Signer(Ed25519PrivateKey.from_private_bytes(bytes(32))))
        cases["signed by somebody else"] = (forged.file_of(FIELDS, TERMINAL, _random(layout)), "bad_signature")
    return [
        {
            **_settings(made),
            "case": case,
            "name": made.name_of((AHEAD if why == "future" else FIELDS).number),
            "file": _text(content),
        }
        | ({"reason": why} if why else {})
        for case, (content, why) in cases.items()
    ]


def _settings(made: Sealing) -> dict[str, Any]:
    key, layout = made.key, made.layout
    return {
        "street": made.street,
        **layout.model_dump(mode="json", exclude={"id_kind"}),
        "key_id": key.key_id,
        "key": key.cipher_key.hex(),
        "secret": key.secret,
        "mac_key": (key.mac_key or b"").hex(),
    }


def _random(layout: MergeLayout) -> bytes:
    return bytes(range(200, 200 + (12 if layout.mode.is_v2 else 16)))


def _flip(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    json.dump(vectors(), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
