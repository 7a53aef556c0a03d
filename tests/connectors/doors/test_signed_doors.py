"""RFC 9421 at each door whose callers sign (ASVS 4.1.5): what is spoilt in any way is nobody's word.

The rules themselves are tried in tests/hub/web/test_signatures.py; here, that each door keeps them.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import http_sf
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.web.digests import content_digest
from hub.web.signature_base import SignedRequest, Stated, signature_base
from hub.web.signatures import sign_request
from schemas.parties import KeyAlgorithm
from tests.connectors.doors.world import CALLERS, JSON, Doors, Told

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Door:
    """A POST and a GET of a door, which its caller may make; `taken` are the answers of those that are let in."""

    name: str
    path: str
    body: Mapping[str, Any]
    get: str

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return json.dumps(self.body).encode()


DOORS: Final = (
    Door(
        "partner", "/api/partner/coupon-voidings", {"codes": ["DOORS-2017-0009"]}, "/api/partner/webhook-events?limit=1"
    ),
    Door(
        "checkout", "/api/checkout/authorizations/o-9/capture", {"points": 1}, "/api/checkout/balance?link_id=member-1"
    ),
    Door("street", "/api/street/merges/20171002101530999999/answer", {"taken": True}, "/api/street/merges"),
)
each_door = pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])


def refused(told: Told) -> str:
    """It is the one 401 that there is; says by which rule."""
    assert (told.status, told.json["type"]) == (401, "/api/#problem-signature"), told
    assert told.headers["WWW-Authenticate"].startswith("Signature")
    return str(told.json["detail"])


def signed(doors: Doors, door: Door, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - of sign_request
    """The headers of the POST, signed now by its caller, unless told otherwise."""
    caller = CALLERS[door.name][0]
    given: dict[str, Any] = {
        "method": "POST",
        "url": doors.url + door.path,
        "key_id": caller,
        "algorithm": KeyAlgorithm.ed25519,
        "secret": doors.keys[caller],
        "created": datetime.now(UTC),
        "body": door.content,
    }
    return {**JSON, **sign_request(**given | changes)}


def covering(doors: Doors, door: Door, *components: str) -> dict[str, str]:
    """Rightly signed, but over these components only."""
    caller = CALLERS[door.name][0]
    fields = {"content-digest": [content_digest(door.content)]}
    parameters: dict[str, int | str] = {
        "created": int(datetime.now(UTC).timestamp()),
        "keyid": caller,
        "nonce": secrets.token_urlsafe(24),
    }
    stated = Stated("sig", components, parameters, b"")
    base = signature_base(stated, SignedRequest("POST", door.path, doors.url, fields))
    return {
        **JSON,
        "Content-Digest": fields["content-digest"][0],
        "Signature-Input": f"sig={stated.parameters_text()}",
        "Signature": http_sf.ser({"sig": Ed25519PrivateKey.from_private_bytes(doors.keys[caller]).sign(base)}),
    }


@each_door
async def test_what_is_signed_now_and_once_is_let_in(all_doors: Doors, door: Door) -> None:
    headers = signed(all_doors, door)
    assert (await all_doors.send("POST", door.path, door.content, headers)).status in {200, 404}
    assert "nonce" in refused(await all_doors.send("POST", door.path, door.content, headers))
    caller = CALLERS[door.name][0]
    get = all_doors.credentials(caller, "GET", door.get)
    assert (await all_doors.send("GET", door.get, None, get)).status == 200
    assert "nonce" in refused(await all_doors.send("GET", door.get, None, get))


COMPONENTS: Final = ("@method", "@authority", "@target-uri", "content-digest")


@each_door
@pytest.mark.parametrize("left_out", COMPONENTS)
async def test_each_component_is_needed(all_doors: Doors, door: Door, left_out: str) -> None:
    whole = covering(all_doors, door, *COMPONENTS, "@path")
    assert (await all_doors.send("POST", door.path, door.content, whole)).status in {200, 404}
    less = covering(all_doors, door, *(one for one in COMPONENTS if one != left_out))
    assert left_out in refused(await all_doors.send("POST", door.path, door.content, less))


SPOILT: Final[Mapping[str, Callable[[Doors, Door], dict[str, str]]]] = {
    "not signed": lambda _doors, _door: dict(JSON),
    "older than 300 s": lambda doors, door: signed(doors, door, created=datetime.now(UTC) - timedelta(seconds=301)),
    "from the future": lambda doors, door: signed(doors, door, created=datetime.now(UTC) + timedelta(seconds=90)),
    "by another's key": lambda doors, door: signed(doors, door, secret=doors.keys[CALLERS[door.name][1]]),
    "by a key that nobody has": lambda doors, door: signed(doors, door, key_id="nobody"),
    "by the public key as a secret": lambda doors, door: signed(
        doors, door, algorithm=KeyAlgorithm.hmac_sha256, secret=_public(doors, door)
    ),
    "for another hub": lambda doors, door: signed(doors, door, url=f"https://hub.example{door.path}"),
    "for another path": lambda doors, door: signed(doors, door, url=f"{doors.url}{door.path}x"),
    "for another query": lambda doors, door: signed(doors, door, url=f"{doors.url}{door.path}?x=1"),
    "for another method": lambda doors, door: signed(doors, door, method="PUT"),
    "for another body": lambda doors, door: signed(doors, door, body=door.content + b" "),
    "without a body": lambda doors, door: signed(doors, door, body=None),
    "with another digest beside it": lambda doors, door: (
        signed(doors, door) | {"Content-Digest": content_digest(door.content + b" ")}
    ),
    "with a key of idempotency that is not signed": lambda doors, door: signed(doors, door) | {"Idempotency-Key": "1"},
    "with a second signature": lambda doors, door: (
        {name: f"{value}, s2=:AAAA:" if name == "Signature" else value for name, value in signed(doors, door).items()}
    ),
}


@each_door
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
async def test_what_is_spoilt_is_nobodys_word(
    all_doors: Doors, door: Door, spoil: Callable[[Doors, Door], dict[str, str]]
) -> None:
    headers = spoil(all_doors, door)
    told = await all_doors.send("POST", door.path, door.content, headers)
    assert (told.status, told.json["type"]) == (401, "/api/#problem-signature"), told


@each_door
async def test_the_signature_of_one_request_opens_no_other(all_doors: Doors, door: Door) -> None:
    """Method, path, query and body as they are sent."""
    caller = CALLERS[door.name][0]
    get = all_doors.credentials(caller, "GET", door.get)
    path, _, _query = door.get.partition("?")
    more = f"{door.get}&x=1" if "?" in door.get else f"{path}?x=1"
    for method, other in (("GET", f"{path}?limit=2"), ("GET", more), ("DELETE", door.get)):
        answer = await all_doors.send(method, other, None, get)
        assert answer.status in ({401, 405} if method == "DELETE" else {401}), (method, other)
    refused(await all_doors.send("POST", door.path, door.content + b" ", signed(all_doors, door)))
    assert (await all_doors.send("GET", door.get, None, get)).status == 200, "none of that has used it up"


def _public(doors: Doors, door: Door) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(doors.keys[CALLERS[door.name][0]])
    return key.public_key().public_bytes_raw()
