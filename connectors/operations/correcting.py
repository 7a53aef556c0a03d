"""The routes of corrections: who asks, who decides, and what came of it."""

from functools import partial
from typing import Final, Literal

from aiohttp import web
from pydantic import Field

from connectors.operations.audience import ACT, SUPERVISE, VIEW
from connectors.operations.correction_shapes import Correction, CorrectionAsked, CorrectionPage
from connectors.operations.corrections import Corrections
from connectors.operations.doing import CREATED, asked_in
from connectors.operations.seeing import After, before_of
from connectors.operations.shapes import ReasonAsked, RemarkAsked
from connectors.operations.telling import BY_ID, id_in, told
from hub.web.app import Audience, Route, json_response, query_of
from hub.web.pages import PageQuery, encode_cursor
from schemas.problems import ProblemCode

GONE: Final = ProblemCode.not_found
STATE: Final = ProblemCode.state_conflict
UNKNOWN: Final = ProblemCode.outcome_unknown


class CorrectionQuery(PageQuery):
    """Which requests."""

    state: Literal["open", "all"] = Field("open", description="`open`: only what is not decided, or not answered yet.")


class CorrectingDoor:
    """`/corrections`."""

    def __init__(self, corrections: Corrections) -> None:
        self._corrections = corrections

    def routes(self, audience: Audience) -> list[Route]:
        """Its rows of the table."""
        route = partial(Route, audience=audience)
        return [
            route(
                path="/corrections",
                method="GET",
                permission=VIEW,
                handler=self.listed,
                query=CorrectionQuery,
                response=CorrectionPage,
                summary="Requests for corrections of postings, and what came of them",
                summary_ja="訂正申請の一覧と結果",
                problems=(ProblemCode.bad_cursor,),
            ),
            route(
                path="/corrections",
                method="POST",
                permission=ACT,
                handler=self.ask,
                request=CorrectionAsked,
                response=Correction,
                status=CREATED,
                summary="Ask for a wrong posting to be reversed",
                summary_ja="訂正の申請",
                problems=(GONE, STATE, UNKNOWN),
            ),
            route(
                path=f"/corrections/{BY_ID}/approve",
                method="POST",
                permission=SUPERVISE,
                handler=self.approve,
                request=RemarkAsked,
                response=Correction,
                summary="Approve a correction that somebody else asked for; sent again, it is done once",
                summary_ja="訂正の承認（申請者とは別の人。再送しても訂正は一度だけ）",
                problems=(GONE, STATE, UNKNOWN),
            ),
            route(
                path=f"/corrections/{BY_ID}/reject",
                method="POST",
                permission=SUPERVISE,
                handler=self.reject,
                request=ReasonAsked,
                response=Correction,
                summary="Reject a correction",
                summary_ja="訂正の却下",
                problems=(GONE, STATE),
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """A page of requests."""
        query = query_of(request, CorrectionQuery)
        async with told():
            found = await self._corrections.latest(before_of(query), query.limit, only_open=query.state == "open")
        return json_response(CorrectionPage(items=found, next=_next(found, query.limit)))

    async def ask(self, request: web.Request) -> web.Response:
        """One request more."""
        actor, asked = await asked_in(request, CorrectionAsked)
        async with told():
            return json_response(await self._corrections.ask(actor, asked), status=CREATED)

    async def approve(self, request: web.Request) -> web.Response:
        """What the ledger says, also where it refuses: the request stays decided."""
        actor, asked = await asked_in(request, RemarkAsked)
        async with told():
            return json_response(await self._corrections.approve(actor, id_in(request), asked))

    async def reject(self, request: web.Request) -> web.Response:
        """Nothing is corrected."""
        actor, asked = await asked_in(request, ReasonAsked)
        async with told():
            return json_response(await self._corrections.reject(actor, id_in(request), asked))


def _next(found: list[Correction], limit: int) -> str | None:
    return encode_cursor(After(id=found[-1].correction_id)) if len(found) == limit else None
