"""A partner's link that fills the coupon page in, signed with the key that it signs its requests with (画面20).

`/my/coupon?partner=…&code=…&points=…&until=…&key=…&sig=…`: `until` is in seconds since 1970, `sig` the signature of the
lines of `signed_text`, in base64url. Unsigned, a link may choose the partner and nothing else: no stranger's page makes
ours tell of points.
"""

import hmac
from base64 import urlsafe_b64decode
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from schemas.parties import KeyAlgorithm, PartyKey, PartyKind

TITLE: Final = "mykey-hub coupon link v1"


class CouponLink(BaseModel):
    """A link to the page; every part of it may be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partner: Annotated[str, Field(max_length=36)] = ""
    code: Annotated[str, Field(max_length=120)] = ""
    points: Annotated[str, Field(max_length=9, pattern=r"^[0-9]*$")] = ""
    until: Annotated[str, Field(max_length=12, pattern=r"^[0-9]*$")] = ""
    key: Annotated[str, Field(max_length=64)] = ""
    sig: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = ""


def signed_text(link: CouponLink) -> bytes:
    """What is signed: a title and the link's parts, a line each."""
    return f"{TITLE}\n{link.partner}\n{link.code}\n{link.points}\n{link.until}\n{link.key}".encode()


def is_signed(link: CouponLink, key: PartyKey, now: datetime) -> bool:
    """Whether the partner that the link names has signed it, for a time that is not over."""
    if key.kind is not PartyKind.partner or str(key.party_id) != _canonical(link.partner) or not link.until:
        return False
    if now.timestamp() > int(link.until):
        return False
    try:
        signature = urlsafe_b64decode(link.sig + "=" * (-len(link.sig) % 4))
        if key.algorithm is KeyAlgorithm.hmac_sha256:
            return hmac.compare_digest(hmac.digest(key.key_bytes, signed_text(link), "sha256"), signature)
        Ed25519PublicKey.from_public_bytes(key.key_bytes).verify(signature, signed_text(link))
    except (ValueError, InvalidSignature):
        return False
    return True


def _canonical(partner: str) -> str:
    try:
        return str(UUID(partner))
    except ValueError:
        return ""
