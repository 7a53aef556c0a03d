"""The door where an agent enrols: `POST /api/terminal/enrolments`. The password is checked here, and used up there."""

from typing import Final

import structlog
from aiohttp import web

from hub import passwords
from hub.bus import Bus
from hub.clock import Clock
from hub.web.app import PUBLIC, Audience, Route, json_response
from hub.web.bodies import read_model
from hub.web.limits import RateLimiter, WaitingRoom
from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode, Refusal, RefusalCode
from schemas.terminals import (
    EnrolledTerminal,
    EnrolmentAnswer,
    EnrolmentForm,
    EnrolTerminal,
    TerminalPasswordOf,
)

PREFIX: Final = "/api/terminal/enrolments"
BODY_LIMIT_BYTES: Final = 16 * 1024
DEADLINE_S: Final = 10.0
RATE_PER_S: Final = 2.0
BURST: Final = 100
"""Of one address, which behind a proxy is the proxy's: of all together."""
TERMINAL_RATE_PER_S: Final = 1 / 60
TERMINAL_BURST: Final = 10
"""Tries for one terminal ID, right or wrong."""
IN_FLIGHT_LIMIT: Final = 4
WAITING_LIMIT: Final = 64
WAIT_TIMEOUT_S: Final = 5.0

log = structlog.get_logger()


class EnrolmentDoor:
    """One public route. Whoever asks is limited, and learns nothing from which part of the login was wrong."""

    def __init__(self, bus: Bus, clock: Clock, hub_key: str) -> None:
        """`hub_key`: the public key in PEM by which agents know this hub's uplink."""
        self._bus = bus
        self._hub_key = hub_key
        self._clock = clock
        self._tries = RateLimiter(TERMINAL_RATE_PER_S, TERMINAL_BURST, monotonic=clock.monotonic)

    def routes(self) -> list[Route]:
        """The route."""
        audience = Audience(
            name="enrolment",
            prefix=PREFIX,
            title="Enrolment of terminals",
            title_ja="端末の登録",
            room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT, WAIT_TIMEOUT_S),
            rate=RateLimiter(RATE_PER_S, BURST, monotonic=self._clock.monotonic),
        )
        return [
            Route(
                audience=audience,
                method="POST",
                path="",
                handler=self.enrol,
                summary="Enrol a terminal's agent with its one-time password; the same again is answered the same",
                summary_ja="ワンタイムパスワードによる端末の登録（同じ内容の再送には同じ結果を返す）",
                permission=PUBLIC,
                request=EnrolmentForm,
                response=EnrolmentAnswer,
                status=201,
                problems=(ProblemCode.login, ProblemCode.too_many),
            )
        ]

    async def enrol(self, request: web.Request) -> web.Response:
        """Let an agent take its terminal's place (画面6–10, 22).

        Raises ProblemError login (401), the same for unknown, wrong and used up; bad_field on another issuer.
        """
        form = await read_model(request, EnrolmentForm, BODY_LIMIT_BYTES)
        self._tries.check(form.terminal_id)
        asked = TerminalPasswordOf(terminal_id=form.terminal_id)
        kept = (await self._bus.call(asked, DEADLINE_S)).password_hash
        is_right = await passwords.is_right(form.one_time_password, kept)
        if kept is None or not is_right:
            raise _refused(RefusalCode.terminal_login)
        enrolled = await self._bus.call(_command(form, kept), DEADLINE_S)
        if enrolled.code is not None:
            raise _refused(enrolled.code)
        log.info("terminal_enrolled", terminal_id=form.terminal_id)
        return json_response(self._answer(form, enrolled), status=201)

    def _answer(self, form: EnrolmentForm, enrolled: EnrolledTerminal) -> EnrolmentAnswer:
        told = enrolled.model_dump(exclude={"code"})
        return EnrolmentAnswer.model_validate({**told, "terminal_id": form.terminal_id, "hub_key": self._hub_key})


def _command(form: EnrolmentForm, password_hash: str) -> EnrolTerminal:
    return EnrolTerminal(
        terminal_id=form.terminal_id,
        password_hash=password_hash,
        public_key=bytes.fromhex(form.public_key),
        contact=form.contact,
        issuer_id=form.issuer_id,
        fingerprint=bytes.fromhex(form.fingerprint),
        value_digests={name: bytes.fromhex(digest) for name, digest in form.value_digests.items()},
        recipe=form.recipe,
    )


def _refused(code: str) -> ProblemError:
    refusal = Refusal.of(code)
    if refusal.code is RefusalCode.wrong_issuer:
        fault = FieldError(pointer="/issuer_id", code=refusal.code, detail=refusal.detail, detail_ja=refusal.detail_ja)
        return ProblemError(ProblemCode.bad_field, errors=[fault])
    log.info("terminal_login_refused")
    return ProblemError(ProblemCode.login, refusal.detail, refusal.detail_ja)
