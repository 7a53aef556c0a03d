"""Transfers by batch, answered item by item after the commit; and what became of one."""

import re
from functools import partial
from typing import Final

from aiohttp import web

from connectors.partner.audience import TRANSFERS
from connectors.partner.items import check
from connectors.partner.pipeline import Pipeline
from connectors.partner.shapes import (
    BatchEnvelope,
    TransferBatch,
    TransferOutcome,
    TransferResults,
    outcome_of,
    results_text,
)
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response, json_text_response
from hub.web.backlog import Backlog
from hub.web.bodies import read_model
from hub.web.limits import AtOnce
from hub.web.problems import ProblemError
from schemas.points import OutcomesOf
from schemas.problems import ProblemCode

BATCH_LIMIT_BYTES: Final = 1 << 20
LOOKUP_DEADLINE_S: Final = 10.0

_TRANSFER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class TransferDoor:
    """`POST /transfers` and `GET /transfers/{transfer_id}`."""

    def __init__(self, bus: Bus, pipeline: Pipeline, backlog: Backlog, rows: AtOnce) -> None:
        """`rows` are what each partner has in work at once."""
        self._bus = bus
        self._pipeline = pipeline
        self._backlog = backlog
        self._rows = rows

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        make = partial(Route, audience=audience, permission=TRANSFERS)
        return [
            make(
                method="POST",
                path="/transfers",
                handler=self.post,
                backlog=self._backlog,
                summary="Move points in: 1 to 1,000 transfers, answered item by item after the commit",
                summary_ja="ポイント移行（1～1,000件）。確定後に1件ごとの結果を返します",
                request=TransferBatch,
                response=TransferResults,
                problems=[ProblemCode.outcome_unknown],
            ),
            make(
                method="GET",
                path="/transfers/{transfer_id}",
                handler=self.get,
                summary="What became of a transfer",
                summary_ja="移行結果の照会",
                response=TransferOutcome,
                problems=[ProblemCode.not_found],
            ),
        ]

    async def post(self, request: web.Request) -> web.Response:
        """Only the envelope's own faults are the request's; each item answers for itself."""
        envelope = await read_model(request, BatchEnvelope, BATCH_LIMIT_BYTES)
        caller = caller_of(request)
        party_id = caller.party_id
        with self._rows.place(party_id, len(envelope.transfers), caller.limits.rows_at_once):
            outcomes = await self._pipeline.outcomes(party_id, check(envelope.transfers))
        return json_text_response(results_text(outcomes))

    async def get(self, request: web.Request) -> web.Response:
        """Another partner's transfer is as unknown as one that never was."""
        transfer_id = request.match_info["transfer_id"]
        if _TRANSFER_ID.fullmatch(transfer_id) is None:
            raise ProblemError(ProblemCode.not_found)
        asked = OutcomesOf(party_id=caller_of(request).party_id, command_ids=[transfer_id])
        found = (await self._bus.call(asked, deadline_s=LOOKUP_DEADLINE_S)).outcomes
        if not found:
            raise ProblemError(ProblemCode.not_found)
        return json_response(outcome_of(transfer_id, found[0].answer))
