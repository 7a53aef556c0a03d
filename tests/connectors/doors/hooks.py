"""How schemathesis comes in by our doors (SCHEMATHESIS_HOOKS): each request is signed, or carries a counter's token.

What it needs is in the file of JSON that MYKEY_DOORS names (`test_documented` writes it): the callers' keys, tokens of
counters, and names of things that there are, which every other right request is about.
"""

import json
import os
from datetime import UTC, datetime
from ipaddress import IPv4Address
from itertools import count, cycle
from pathlib import Path
from typing import Any, Final

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation

from hub.web.signatures import sign_request
from schemas.parties import KeyAlgorithm

KNOWN: Final = json.loads(Path(os.environ["MYKEY_DOORS"]).read_text(encoding="utf-8"))
CLASSES: Final = {
    r"\p{Cc}": r"\x00-\x1f\x7f-\x9f",
    r"\p{Cf}": r"\xad\u0600-\u0605\u061c\u06dd\u070f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb",
    r"\p{Zl}": r"\u2028",
    r"\p{Zp}": r"\u2029",
    r"\p{Z}": r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
"""Unicode's general categories, as far as schemas name them; `Cf` without the signs of a few rare scripts."""

_tokens: Final = cycle(KNOWN["tokens"])
_addresses: Final = count(0x0A000001)
_turns: Final = count()


class Proven(AuthBase):
    """Proves the request as it is about to be sent, by whoever has this door."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Signed now, or with a token."""
        url = request.url or ""
        door = url.removeprefix(KNOWN["url"]).split("/")[2]
        request.headers["X-Forwarded-For"] = str(IPv4Address(next(_addresses)))
        if door in KNOWN["keys"]:
            request.headers.update(_signed(request, *KNOWN["keys"][door]))
        elif door == "counter":
            request.headers["Authorization"] = f"Bearer {_token(url)}"
        return request


def _signed(request: PreparedRequest, key_id: str, secret: str) -> dict[str, str]:
    body = request.body
    return sign_request(
        method=request.method or "",
        url=request.url or "",
        key_id=key_id,
        algorithm=KeyAlgorithm.ed25519,
        secret=bytes.fromhex(secret),
        created=datetime.now(UTC),
        body=body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else None,
        headers={name: str(value) for name, value in request.headers.items()},
    )


def _token(url: str) -> str:
    """The one whose operation it is, one that may be ended, or any: how often one browser may ask is not tried here."""
    if KNOWN["things"]["operation_id"] in url:
        return str(KNOWN["owner"])
    return str(KNOWN["ended"] if url.endswith("/session") else next(_tokens))


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Patterns are ECMA-262's; the classes that Python's own regular expressions do not know are written out."""
    for name, characters in CLASSES.items():
        _replace(raw_schema, name, characters)


def _replace(schema: Any, name: str, characters: str) -> None:  # noqa: ANN401 - any JSON
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        _replace(part, name, characters)
    if isinstance(schema, dict) and isinstance(schema.get("pattern"), str):
        schema["pattern"] = schema["pattern"].replace(name, characters)


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """Every request, just before it is made: one that is to be refused for want of proof gets none."""
    meta = case.meta
    if meta is None or not meta.is_negative_at(ParameterLocation.HEADER):
        kwargs["auth"] = Proven()
    if meta is None or not meta.generation.mode.is_positive:
        return
    is_known = next(_turns) % 2 and case.method != "DELETE"
    if is_known:
        _fill(case.path_parameters, KNOWN["things"])
        _fill(case.query, KNOWN["values"])
    _fill(case.body, KNOWN["values"] if is_known else KNOWN["always"])


def _fill(given: Any, known: dict[str, Any]) -> None:  # noqa: ANN401 - any JSON
    """Put what is known in the place of what was made up, wherever it has that name."""
    for part in given.values() if isinstance(given, dict) else given if isinstance(given, list) else ():
        _fill(part, known)
    if isinstance(given, dict):
        given.update({name: known[name] for name in given if name in known})
