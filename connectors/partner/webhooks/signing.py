"""Standard Webhooks' two signatures: `v1` is HMAC-SHA256 under a shared secret, `v1a` Ed25519 under a key of ours.

While secrets are changed, the new and the old ones all sign, so that nothing has to happen at the same moment.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hub.keys import Keys, Signer

SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret is recognised
PUBLIC_PREFIX: Final = "whpk_"


def new_secret() -> str:
    """256 random bits, as receivers' libraries take them."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signer_of(keys: Keys, party_id: UUID) -> Signer:
    """A key for each party: what one was sent is no message to another."""
    return keys.signer(f"webhook|{party_id}")


def public_key(signer: Signer) -> str:
    """The public half, as receivers' libraries take it."""
    raw = load_pem_public_key(signer.verifier.pem.encode()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PUBLIC_PREFIX + b64encode(raw).decode()


def signed_headers(event_id: UUID, body: bytes, now: datetime, whsecs: Sequence[str], signer: Signer) -> dict[str, str]:
    """The three headers; `whsecs` are the secrets that are good now, the newest first."""
    at = str(int(now.timestamp()))
    signed = f"{event_id}.{at}.".encode() + body
    signatures = [f"v1,{_mac(whsec, signed)}" for whsec in whsecs]
    signatures.append(f"v1a,{b64encode(signer.sign(signed)).decode()}")
    return {"webhook-id": str(event_id), "webhook-timestamp": at, "webhook-signature": " ".join(signatures)}


def _mac(whsec: str, signed: bytes) -> str:
    return b64encode(hmac.digest(b64decode(whsec.removeprefix(SECRET_PREFIX)), signed, "sha256")).decode()
