"""The keys by which providers know us (private_key_jwt, RFC 7523): ES256, another one every half year.

The set that we publish has the last one, the present one and the next one, so that a provider which keeps it for months
always has the right one.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.keys import Keys

ALGORITHM: Final = "ES256"
GOOD_FOR_S: Final = 60
JTI_BYTES: Final = 16
MONTHS: Final = 6
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientKeys:
    """Makes what proves that it is us who asks."""

    def __init__(self, keys: Keys, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now

    def public(self) -> dict[str, Any]:
        """The JSON Web Key Set to be published (RFC 7517)."""
        present = _half_year(self._now())
        return {"keys": [self._key(one).as_dict(private=False) for one in (present - 1, present, present + 1)]}

    def proof(self, client_id: str, audience: str) -> Mapping[str, str]:
        """The fields that a request to a provider's endpoint proves itself with, good for a minute and once."""
        now_s = int(self._now().timestamp())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(JTI_BYTES),
            "iat": now_s,
            "exp": now_s + GOOD_FOR_S,
        }
        key = self._key(_half_year(self._now()))
        header = {"alg": ALGORITHM, "kid": key.kid}
        assertion = jwt.encode(header, claims, key, algorithms=[ALGORITHM])
        return {"client_id": client_id, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    def _key(self, half_year: int) -> ECKey:
        kid = f"mykey-{half_year // 2}-{half_year % 2 + 1}"
        pem = self._keys.p256_key(f"id-link|{kid}").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return ECKey.import_key(pem, {"kid": kid, "use": "sig", "alg": ALGORITHM})


def _half_year(now: datetime) -> int:
    return now.year * 2 + (now.month - 1) // MONTHS
