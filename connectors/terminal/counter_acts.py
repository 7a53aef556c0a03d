"""What is done at a counter: MyKey IDs made, changed and revoked (画面12–17, 62, 63), service IDs (画面22–27).

Every act that changes something, or shows a number, asks the card again first.
"""

from typing import Final
from uuid import UUID

import structlog

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import (
    CreateForm,
    LosingPool,
    Loss,
    NumberRead,
    Purpose,
    RegisterForm,
    ServiceIdView,
)
from connectors.terminal.counter_store import Operation
from hub.bus import Bus
from hub.errors import TransientError, UnroutableError
from schemas.card_jobs import HandNumberOn, ReadNumber
from schemas.cards import ChooseAddressNotice
from schemas.citizens import Candidate, CheckMyKeyId, OfferMyKeyId
from schemas.libraries import PatronKnown
from schemas.mykey_ids import ChangeMyKeyId, CreateMyKeyId, RevokeMyKeyId
from schemas.points import BalanceOf
from schemas.problems import RefusalCode
from schemas.service_ids import Issuer, IssuersOf, LibraryWord, RegisterServiceId, ServiceId, ServiceIdOf

DEADLINE_S: Final = 10.0
LIBRARY_DEADLINE_S: Final = 6.0
"""It answers within five seconds, whatever happens."""
NUMBER_LIMIT_S: Final = 30.0
MYKEY_ID_CHOSEN: Final = (Purpose.create_mykey_id, Purpose.change_mykey_id)

log: Final = structlog.get_logger()


class CounterActs:
    """The acts, each in one operation."""

    def __init__(self, operations: CounterOperations, bus: Bus) -> None:
        self._operations = operations
        self._bus = bus

    # ------------------------------------------------------------------------------------------------- MyKey IDs

    async def offer(self, operation_id: UUID, session: Session, attempt: int) -> Candidate:
        """「自動生成」; the operation is its own enrolment."""
        async with self._operations.at(operation_id, session, *MYKEY_ID_CHOSEN):
            return await self._bus.call(OfferMyKeyId(enrolment_id=operation_id, attempt=attempt), DEADLINE_S)

    async def check(self, operation_id: UUID, session: Session, mykey_id: str) -> Candidate:
        """「重複チェック」."""
        async with self._operations.at(operation_id, session, *MYKEY_ID_CHOSEN):
            return await self._bus.call(CheckMyKeyId(enrolment_id=operation_id, mykey_id=mykey_id), DEADLINE_S)

    async def create(self, operation_id: UUID, session: Session, form: CreateForm) -> None:
        """A MyKey ID for whoever's card is in."""
        async with self._operations.at(operation_id, session, Purpose.create_mykey_id) as operation:
            assert operation.kept is not None  # noqa: S101 - an operation that was taken keeps it
            command = CreateMyKeyId(
                citizen_id=operation.kept.new_citizen_id,
                proof_id=await self._operations.again(operation),
                enrolment_id=operation_id,
                **dict(form),
            )
            await self._end(operation, (await self._bus.call(command, DEADLINE_S)).code)

    async def change(self, operation_id: UUID, session: Session, mykey_id: str) -> None:
        """Another MyKey ID for the citizen."""
        async with self._operations.at(operation_id, session, Purpose.change_mykey_id) as operation:
            command = ChangeMyKeyId(
                citizen_id=citizen_of(operation),
                proof_id=await self._operations.again(operation),
                enrolment_id=operation_id,
                mykey_id=mykey_id,
            )
            await self._end(operation, (await self._bus.call(command, DEADLINE_S)).code)

    async def loss(self, operation_id: UUID, session: Session) -> Loss:
        """What a revocation would let end."""
        async with self._operations.at(operation_id, session, Purpose.revoke_mykey_id) as operation:
            held = await self._bus.call(BalanceOf(citizen_id=citizen_of(operation)), DEADLINE_S)
            pools = [LosingPool(pool=one.pool, points=one.active) for one in held.pools]
            return Loss(points=sum(one.points for one in pools), pools=pools)

    async def revoke(self, operation_id: UUID, session: Session) -> None:
        """The MyKey ID ends, and all that hangs on it."""
        async with self._operations.at(operation_id, session, Purpose.revoke_mykey_id) as operation:
            proof_id = await self._operations.again(operation)
            command = RevokeMyKeyId(citizen_id=citizen_of(operation), proof_id=proof_id)
            await self._end(operation, (await self._bus.call(command, DEADLINE_S)).code)

    # ----------------------------------------------------------------------------------------------- service IDs

    async def read_number(self, operation_id: UUID, session: Session) -> NumberRead:
        """The library's or street's card is read, to be compared with what is printed on it."""
        async with self._operations.at(operation_id, session, Purpose.register_service_id) as operation:
            ask = ReadNumber(
                terminal_id=operation.terminal_id, operation_id=operation.operation_id, limit_s=NUMBER_LIMIT_S
            )
            answer = await self._bus.call(ask, ask.deadline_s)
            if answer.number is None:
                raise refused(answer.reason)
            return NumberRead(number=answer.number, source=answer.source)

    async def present(self, operation_id: UUID, session: Session) -> ServiceIdView:
        """The number that a new one would replace."""
        async with self._operations.at(operation_id, session, Purpose.register_service_id) as operation:
            return _view(await self._service_id(operation, session))

    async def register(self, operation_id: UUID, session: Session, form: RegisterForm) -> ServiceIdView:
        """「登録」: the library says first whether it knows the number."""
        async with self._operations.at(operation_id, session, Purpose.register_service_id) as operation:
            issuer = await self._issuer(session)
            number = issuer.number_of(form.number)
            if number is None:
                raise refused(RefusalCode.bad_number)
            word = await self._word(issuer, number)
            await self._operations.again(operation)
            assert operation.kept is not None  # noqa: S101 - an operation that was taken keeps it
            answer = await self._bus.call(
                RegisterServiceId(
                    citizen_id=citizen_of(operation),
                    issuer_id=issuer.issuer_id,
                    number=number,
                    terminal_id=operation.terminal_id,
                    operation_id=operation_id,
                    library=word,
                    address_change_serial=operation.kept.signature_serial,
                    replaces=form.replaces,
                ),
                DEADLINE_S,
            )
            if answer.code is None and operation.address_notice:
                await self._notice(operation)
            await self._end(operation, answer.code)
            return ServiceIdView(issuer_name=answer.issuer_name, number=answer.number, state=answer.state, library=word)

    async def look_up(self, operation_id: UUID, session: Session) -> ServiceIdView:
        """「照会」: the number goes to the program beside, in the issuer's way, and is shown."""
        async with self._operations.at(operation_id, session, Purpose.look_up_service_id) as operation:
            issuer = await self._issuer(session)
            await self._operations.again(operation)
            found = await self._service_id(operation, session)
            ask = HandNumberOn(
                terminal_id=operation.terminal_id,
                operation_id=operation_id,
                number=found.number,
                **dict(issuer.notification),
            )
            answer = await self._bus.call(ask, ask.deadline_s)
            if not answer.is_done:
                raise refused(answer.reason)
            await self._end(operation, None)
            return _view(found)

    # -------------------------------------------------------------------------------------------------- in common

    async def _end(self, operation: Operation, code: str | None) -> None:
        """Over with the act; one that is refused may be mended and asked again."""
        if code is not None:
            raise refused(code)
        await self._operations.done(operation)
        log.info("counter_operation_done", operation_id=operation.operation_id, purpose=operation.purpose.value)

    async def _notice(self, operation: Operation) -> None:
        """By the first proof, which has read the signature certificate too."""
        assert operation.kept is not None  # noqa: S101 - an operation that was taken keeps it
        command = ChooseAddressNotice(citizen_id=citizen_of(operation), wanted=True, proof_id=operation.kept.proof_id)
        code = (await self._bus.call(command, DEADLINE_S)).code
        if code is not None:
            raise refused(code)

    async def _issuer(self, session: Session) -> Issuer:
        issuer_ids = [] if session.issuer_id is None else [session.issuer_id]
        found = await self._bus.call(IssuersOf(issuer_ids=issuer_ids), DEADLINE_S)
        if not found.issuers:
            raise refused(RefusalCode.unknown_issuer)
        return found.issuers[0]

    async def _service_id(self, operation: Operation, session: Session) -> ServiceId:
        if session.issuer_id is None:
            raise refused(RefusalCode.unknown_issuer)
        asked = ServiceIdOf(citizen_id=citizen_of(operation), issuer_id=session.issuer_id)
        found = (await self._bus.call(asked, DEADLINE_S)).service_id
        if found is None:
            raise refused(RefusalCode.no_service_id)
        return found

    async def _word(self, issuer: Issuer, number: str) -> LibraryWord:
        """What the library says; the counter does not stand still because a library does."""
        if not issuer.sip2:
            return LibraryWord.not_asked
        asked = PatronKnown(issuer_id=issuer.issuer_id, number=number)
        try:
            return (await self._bus.call(asked, LIBRARY_DEADLINE_S)).word
        except (TransientError, UnroutableError) as error:
            log.warning("library_not_asked", issuer_id=issuer.issuer_id, error=type(error).__qualname__)
            return LibraryWord.not_asked


def _view(found: ServiceId) -> ServiceIdView:
    return ServiceIdView(issuer_name=found.issuer_name, number=found.number, state=found.state)
