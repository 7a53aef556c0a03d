"""The door for streets' servers, `/api/street`: merges that wait for an answer, answers, and whose card is in.

Requests are signed as partners' are (RFC 9421); a street sees its own merges and its own terminals only.
"""

from datetime import datetime
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StrictBool

from connectors.street import statements as sql
from connectors.street.card_asking import CardAsking
from connectors.street.streets import StreetBook
from hub.bus import Bus
from hub.clock import Clock
from hub.component import Context
from hub.database import Database, reachable
from hub.web.app import Answer, Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.leaving import while_there
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.problems import ProblemError
from hub.web.signatures import SECURITY, VerificationKey, Verifier
from hub.web.signed_parties import Nonces, RememberedKeys, SignedByParty, real_now
from schemas.problems import FieldError, ProblemCode, Refusal
from schemas.streets import AnswerMerge, MergesOf, MergeState, MergeView
from schemas.uplink import AnswerReason
from schemas.values import TerminalId

PREFIX: Final = "/api/street"
MERGES: Final = "street.merges"
CARDS: Final = "street.cards"
DEADLINE_S: Final = 10.0
BODY_LIMIT_BYTES: Final = 16 * 1024
PAGE_LIMIT: Final = 100
KEY_CACHE_LIMIT: Final = 1_000
IN_FLIGHT_LIMIT: Final = 128
"""Some of them wait for a person with a card in the hand, at little cost."""
AT_ONCE: Final = 16
RATE_PER_S: Final = 100.0
BURST: Final = 200
"""Of one street."""
NUMBER: Final = "/merges/{number:[0-9]{20}}"


class Body(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WaitingMerge(Body):
    """A merge of yours: what its file is, and how it stands. Whose points they are stands in the file alone."""

    number: str
    points: int
    state: MergeState
    terminal_id: str
    started_at: datetime
    delivered_at: datetime | None


class WaitingMerges(Body):
    """The oldest first, a hundred at the most; answered ones make room for the others."""

    merges: list[WaitingMerge]


class AnswerForm(Body):
    """`taken`: the points were added. Otherwise they are the citizen's again; never add them later."""

    taken: StrictBool
    reason: AnswerReason = ""


class CardForm(Body):
    """At which of your terminals the card is."""

    terminal_id: TerminalId


class CardRead(Body):
    """The street point ID behind the card, or the MyKey ID where your software keeps those."""

    member_id: str


def street_keys(streets: StreetBook, clock: Clock) -> RememberedKeys:
    """The keys that streets sign with. Finding one may raise TransientError."""

    async def find(key_id: str) -> VerificationKey | None:
        async with reachable():
            found = await streets.signer(key_id)
        if found is None:
            return None
        street_id, algorithm, key_bytes = found
        return VerificationKey(key_id, algorithm, key_bytes, street_id, frozenset({MERGES, CARDS}))

    return RememberedKeys(find, clock, KEY_CACHE_LIMIT)


def street_nonces(database: Database) -> Nonces:
    """Nonces in `street.nonce`."""
    return Nonces(database, sql.FIRST_USE, sql.FORGET_NONCES)


class StreetDoor:
    """The routes."""

    def __init__(self, keys: RememberedKeys, nonces: Nonces, cards: CardAsking, bus: Bus, context: Context) -> None:
        self._cards = cards
        self._bus = bus
        verifier = Verifier(find_key=keys, nonces=nonces, now=real_now, origins=[context.settings.own_url])
        self._audience = Audience(
            name="street",
            prefix=PREFIX,
            title="Shopping streets",
            title_ja="商店街",
            authenticate=SignedByParty(verifier),
            security=SECURITY,
            room=WaitingRoom(IN_FLIGHT_LIMIT),
            at_once=AtOnce(AT_ONCE),
            rate=RateLimiter(RATE_PER_S, BURST, monotonic=context.clock.monotonic),
        )

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            self._route(
                "GET", "/merges", self.waiting, MERGES, "Merges that wait for your answer", "応答待ちの合算",
                response=WaitingMerges,
            ),
            self._route(
                "GET", NUMBER, self.one, MERGES, "One merge by its transaction number", "取引済番号による合算の照会",
                response=WaitingMerge, problems=(ProblemCode.not_found,),
            ),
            self._route(
                "POST", f"{NUMBER}/answer", self.answer, MERGES,
                "Say that you have added the points, or do not want them",
                "合算ポイントの受取または返却", request=AnswerForm, response=WaitingMerge,
                problems=(ProblemCode.not_found, ProblemCode.state_conflict),
            ),
            self._route(
                "POST", "/card-reads", self.read_card, CARDS,
                "Ask for the card at one of your terminals, and whose street point ID it is",
                "端末のカードに対応する商店街ポイントIDの照会", request=CardForm, response=CardRead,
                problems=(ProblemCode.not_found, ProblemCode.state_conflict),
            ),
        ]  # fmt: skip

    def _route(
        self,
        method: str,
        path: str,
        handler: Answer,
        permission: str,
        summary: str,
        summary_ja: str,
        **more: Any,  # noqa: ANN401
    ) -> Route:
        return Route(
            audience=self._audience, method=method, path=path, handler=handler, permission=permission,
            summary=summary, summary_ja=summary_ja, **more,
        )  # fmt: skip

    async def waiting(self, request: web.Request) -> web.Response:
        """The oldest page of what is open."""
        asked = MergesOf(street_id=caller_of(request).party_id, limit=PAGE_LIMIT)
        views = await self._bus.call(asked, DEADLINE_S)
        return json_response(WaitingMerges(merges=[_waiting(view) for view in views.merges]))

    async def one(self, request: web.Request) -> web.Response:
        """Raises ProblemError not_found."""
        return json_response(await self._one(request))

    async def _one(self, request: web.Request) -> WaitingMerge:
        number = request.match_info["number"]
        asked = MergesOf(street_id=caller_of(request).party_id, open_only=False, number=number, limit=1)
        views = (await self._bus.call(asked, DEADLINE_S)).merges
        if not views or views[0].state in {MergeState.asked, MergeState.failed}:
            raise ProblemError(ProblemCode.not_found)
        return _waiting(views[0])

    async def answer(self, request: web.Request) -> web.Response:
        """The first answer counts; the same again is answered the same."""
        form = await read_model(request, AnswerForm, BODY_LIMIT_BYTES)
        before = await self._one(request)
        command = AnswerMerge(
            street_id=caller_of(request).party_id, number=before.number, taken=form.taken, reason=form.reason
        )
        answer = await self._bus.call(command, DEADLINE_S)
        if answer.code is not None or answer.state is None:
            raise _refused(answer.code or ProblemCode.not_found)
        return json_response(before.model_copy(update={"state": answer.state}))

    async def read_card(self, request: web.Request) -> web.Response:
        """Waits for the card, for as long as its answer is waited for; nobody's screen needs to be open."""
        form = await read_model(request, CardForm, BODY_LIMIT_BYTES)
        found = await while_there(request, self._cards.member_at(caller_of(request).party_id, form.terminal_id))
        if found.code is not None or found.member_id is None:
            raise _refused(found.code or ProblemCode.not_found)
        return json_response(CardRead(member_id=found.member_id))


def _refused(code: str) -> ProblemError:
    refusal = Refusal.of(code)
    fault = FieldError(pointer="", code=refusal.code, detail=refusal.detail, detail_ja=refusal.detail_ja)
    return ProblemError(ProblemCode.state_conflict, refusal.detail, refusal.detail_ja, errors=[fault])


def _waiting(view: MergeView) -> WaitingMerge:
    return WaitingMerge(**{name: getattr(view, name) for name in WaitingMerge.model_fields})
