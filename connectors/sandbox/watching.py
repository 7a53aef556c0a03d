"""What came in from each party, and why it was not let in: bounded, in memory, without bodies, queries or headers.

A request belongs to the party whose key it names, proven or not, since most that are worth a look could not be proven.
One that names no key of ours is found by its request id, which only who sent it was told.
"""

import re
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from connectors.sandbox.faults import PLAYED
from connectors.sandbox.shapes import SeenRequest, SignatureExplained
from hub.web.answers import REFERENCE
from hub.web.app import CALLER
from hub.web.problems import ProblemError, problem_error, problem_of
from hub.web.signature_base import SignatureRuleError, parse_stated, signature_base
from hub.web.signatures import request_as_signed

WATCHED: Final = ("/api/partner/", "/api/checkout/")
OF_ONE_LIMIT: Final = 200
OF_NOBODY_LIMIT: Final = 1_000
PARTIES_LIMIT: Final = 1_000
PATH_LIMIT_CHARS: Final = 300
BASE_LIMIT_CHARS: Final = 4_000

_KEY_ID: Final = re.compile(r'keyid="([A-Za-z0-9._:-]{1,64})"')


class Seen:
    """The latest requests of each party."""

    def __init__(self) -> None:
        self._of: OrderedDict[UUID | None, OrderedDict[UUID, SeenRequest]] = OrderedDict({None: OrderedDict()})

    def add(self, party_id: UUID | None, one: SeenRequest) -> None:
        """The oldest makes room; so does the party that was heard of least lately."""
        kept = self._of.setdefault(party_id, OrderedDict())
        kept[one.request_id] = one
        if len(kept) > (OF_NOBODY_LIMIT if party_id is None else OF_ONE_LIMIT):
            kept.popitem(last=False)
        self._of.move_to_end(party_id)
        self._of.move_to_end(None)
        if len(self._of) > PARTIES_LIMIT:
            self._of.popitem(last=False)

    def of(self, party_id: UUID, limit: int) -> list[SeenRequest]:
        """The latest first."""
        return list(reversed(self._of.get(party_id, OrderedDict()).values()))[:limit]

    def one(self, party_id: UUID, request_id: UUID) -> SeenRequest | None:
        """The party's own, or nobody's."""
        for whose in (party_id, None):
            if found := self._of.get(whose, OrderedDict()).get(request_id):
                return found
        return None


def key_id_of(party_id: UUID, number: int) -> str:
    """A key's id tells whose it is, so that a request is known by the key that it names."""
    return f"{party_id}.{number}"


def watching(seen: Seen, origin: str) -> Middleware:
    """Stands behind the hub's door; `origin` is the hub's own address, as signatures have it."""

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(WATCHED):
            return await handler(request)
        began = time.perf_counter()
        try:
            response = await handler(request)
        except Exception as error:
            problem = problem_error(error)
            _note(seen, request, problem.status, began, problem, _explained(request, origin, problem))
            raise
        _note(seen, request, response.status, began)
        return response

    return watch


def _note(
    seen: Seen,
    request: web.Request,
    status: int,
    began: float,
    problem: ProblemError | None = None,
    signature: SignatureExplained | None = None,
) -> None:
    key_id = _key_id(request)
    one = SeenRequest(
        request_id=request[REFERENCE].request_id,
        at=datetime.now(UTC),
        method=request.method,
        path=request.path[:PATH_LIMIT_CHARS],
        status=status,
        took_ms=round((time.perf_counter() - began) * 1e3, 1),
        key_id=key_id,
        code=None if problem is None else problem.code.value,
        detail=None if problem is None else problem_of(problem, request[REFERENCE]).detail,
        signature=signature,
        fault=request.get(PLAYED),
    )
    seen.add(request[CALLER].party_id if CALLER in request else _party_of(key_id), one)


def _key_id(request: web.Request) -> str | None:
    found = _KEY_ID.search(request.headers.get("Signature-Input", ""))
    return found and found[1]


def _party_of(key_id: str | None) -> UUID | None:
    try:
        return UUID((key_id or "").partition(".")[0])
    except ValueError:
        return None


def _explained(request: web.Request, origin: str, problem: ProblemError) -> SignatureExplained | None:
    error = problem.__cause__
    if not isinstance(error, SignatureRuleError):
        return None
    signed = request_as_signed(request, origin)
    try:
        base = signature_base(parse_stated(signed.fields), signed).decode("ascii")[:BASE_LIMIT_CHARS]
    except SignatureRuleError:
        base = None
    return SignatureExplained(part=error.rule, base=base)
