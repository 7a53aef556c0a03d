"""What an operation is bound to: a card read for it alone, and the very same card at each act that changes something.

The rules against the wrong person (mission section 3): a fresh read for each operation; before an act the card that is
in signs again, and must be the one that was read; an operation ends with its act, with the card's removal, when nobody
does anything, and when the next one begins; nothing resumes it.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Final, NoReturn
from uuid import UUID, uuid4

import structlog

from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_renewal import Signature, renew_signature
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import BeginOperation, Purpose, purposes_of
from connectors.terminal.counter_store import CounterStore, Kept, Operation
from hub.bus import Bus
from hub.errors import HubError, TransientError
from hub.ids import uuid7
from hub.supervision import end_tasks, tell_failure
from hub.web.problems import ProblemError
from schemas.card_jobs import CardAnswer, ReadCard, ReadNumber, ReleaseCard
from schemas.cards import CardProof, ProveCard, ProvenCard
from schemas.logins import LogInByCard, SessionKind, UseSession
from schemas.problems import ProblemCode, RefusalCode
from schemas.service_ids import CitizenBehindServiceId

READ_LIMIT_S: Final = 60.0
"""For putting the card in and typing the PIN."""
AGAIN_LIMIT_S: Final = 10.0
"""For the card that is in to sign again; nobody is asked for anything."""
DEADLINE_S: Final = 10.0
END_AGAIN_S: Final = 1.0

log: Final = structlog.get_logger()


class CounterOperations:
    """Begins operations, proves their cards, and lets acts be done in them."""

    def __init__(self, store: CounterStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: set[UUID] = set()
        """Operations whose act was done, until its step is over."""

    async def begin(self, session: Session, form: BeginOperation) -> UUID:
        """An operation whose card is read from now on. Raises ProblemError: not for this kind of terminal."""
        if form.purpose not in purposes_of(session.kind, point_use_too=session.point_use_too):
            raise refused(RefusalCode.not_at_this_terminal)
        if (form.how == "street_card") and form.purpose is not Purpose.merge_points:
            raise refused(RefusalCode.card_needs_pin)
        operation_id = uuid4()
        notice = form.address_notice and form.purpose is Purpose.register_service_id
        before = await self._store.begin(
            operation_id, session.session_id, session.terminal_id, form.purpose, form.how, notice=notice
        )
        log.info("counter_operation_begun", terminal_id=session.terminal_id, operation_id=operation_id)
        if form.how == "street_card":
            number = ReadNumber(terminal_id=session.terminal_id, operation_id=operation_id, limit_s=READ_LIMIT_S)
            self._start(self._read_street_card(number, session.issuer_id, before))
            return operation_id
        ask = ReadCard(
            terminal_id=session.terminal_id,
            operation_id=operation_id,
            purpose=form.purpose.value,
            how=form.how,
            address_change=notice,
            limit_s=READ_LIMIT_S,
        )
        self._start(self._read(ask, before))
        return operation_id

    async def of(self, operation_id: UUID, session: Session) -> Operation:
        """The operation. Raises ProblemError not_found for another browser's."""
        found = await self._store.of(operation_id, session.session_id)
        if found is None:
            raise ProblemError(ProblemCode.not_found)
        return found

    async def leave(self, operation_id: UUID, session: Session) -> None:
        """The clerk is done with it, or goes back."""
        operation = await self.of(operation_id, session)
        await self._over(operation, RefusalCode.operation_over)

    async def end_session(self, session: Session) -> None:
        """The browser leaves, and its operation with it."""
        for operation_id in await self._store.end_session(session.session_id, session.terminal_id):
            self._start(self._release(session.terminal_id, operation_id))

    async def is_still(self, operation: Operation) -> bool:
        """Whether what is done in it may go on."""
        return await self._store.is_still(operation.operation_id)

    async def is_latest(self, operation: Operation) -> bool:
        """Whether it has begun not long ago, and none at this terminal after it."""
        return await self._store.is_latest(operation)

    @asynccontextmanager
    async def at(self, operation_id: UUID, session: Session, *purposes: Purpose) -> AsyncIterator[Operation]:
        """For one step of an operation that is proven and for one of these purposes; the citizen's session is used.

        Raises ProblemError: not_found; state_conflict where it is over, waits, or another step is under way.
        """
        found = await self.of(operation_id, session)
        if found.purpose not in purposes:
            raise refused(RefusalCode.card_not_proven)
        operation = await self._store.take(operation_id, session.session_id)
        if operation is None or operation.kept is None:
            now = await self.of(operation_id, session)
            is_done = now.state == "done"
            raise refused(now.code or (RefusalCode.operation_over if is_done else RefusalCode.terminal_busy))
        try:
            await self._use_session(operation, operation.kept)
            yield operation
        finally:
            if operation_id in self._done:
                self._done.discard(operation_id)
            else:
                # Where it has ended this changes nothing.
                await self._store.give_back(operation_id)

    async def again(self, operation: Operation) -> UUID:
        """The proof of the very card, which signs again without its PIN, to be asked for right before an act.

        Raises ProblemError: the card is out, is another one or somebody else's, or the operation is over; then it is.
        """
        assert operation.how != "street_card"  # noqa: S101 - whoever asks again asks by `still`
        ask = ReadCard(
            terminal_id=operation.terminal_id,
            operation_id=operation.operation_id,
            purpose=operation.purpose.value,
            how=operation.how,
            again=operation.insertion,
            limit_s=AGAIN_LIMIT_S,
        )
        answer = await self._bus.call(ask, ask.deadline_s)
        if answer.proof is None:
            await self._refuse(operation, answer.reason)
        proof, proven = answer.proof, await self._bus.call(ProveCard(proof=answer.proof), DEADLINE_S)
        if proven.code is not None:
            await self._refuse(operation, proven.code)
        if not _is_the_same(operation, proof, proven):
            await self._refuse(operation, RefusalCode.other_citizen)
        if not await self._store.is_still(operation.operation_id):
            await self._refuse(operation, RefusalCode.operation_over)
        return proof.job_id

    async def still(self, operation: Operation) -> None:
        """Right before an act: the very card, or that the operation goes on, where the street's card was read.

        A street's card cannot sign: its number was read for this operation alone, which ends with its one act.
        Raises ProblemError.
        """
        if operation.how != "street_card":
            await self.again(operation)
        elif not await self._store.is_still(operation.operation_id):
            await self._refuse(operation, RefusalCode.operation_over)

    async def done(self, operation: Operation) -> None:
        """The act was done: the operation is over, the card let go."""
        await self._store.end(operation.operation_id, "done")
        self._done.add(operation.operation_id)
        self._start(self._release(operation.terminal_id, operation.operation_id))

    async def close(self) -> None:
        """What waits for a card waits no longer."""
        await end_tasks(self._tasks, END_AGAIN_S)

    async def _refuse(self, operation: Operation, code: str) -> NoReturn:
        await self._over(operation, code)
        now = await self._store.of(operation.operation_id, operation.session_id)
        raise refused(now.code if now is not None and now.code is not None else code)

    async def _over(self, operation: Operation, code: str) -> None:
        """It is, for this reason, unless it had ended for another."""
        log.info("counter_operation_over", operation_id=operation.operation_id, code=str(code))
        await self._store.end(operation.operation_id, "over", code)
        self._start(self._release(operation.terminal_id, operation.operation_id))

    async def _use_session(self, operation: Operation, kept: Kept) -> None:
        if kept.session is not None:
            found = await self._bus.call(UseSession(session=kept.session), DEADLINE_S)
            if found.session is None:
                await self._refuse(operation, RefusalCode.operation_over)

    async def _read(self, ask: ReadCard, before: list[UUID]) -> None:
        """Have the card read and proven; what comes of it stands in the operation's row."""
        try:
            # An agent does one job at a time: whoever was asked before is asked no more.
            for operation_id in before:
                await self._release(ask.terminal_id, operation_id)
            answer = await self._bus.call(ask, ask.deadline_s)
            code = await self._proven(ask, answer)
        except HubError as error:
            _tell_failed(ask.operation_id, error)
            code = RefusalCode.reader_failed
        if code is not None:
            log.info("counter_read_refused", operation_id=ask.operation_id, code=str(code))
            await self._store.end(ask.operation_id, "failed", code)
            await self._release(ask.terminal_id, ask.operation_id)

    async def _read_street_card(self, ask: ReadNumber, issuer_id: str | None, before: list[UUID]) -> None:
        """From the number of the street's card to the citizen (mission III.15)."""
        try:
            for operation_id in before:
                await self._release(ask.terminal_id, operation_id)
            answer = await self._bus.call(ask, ask.deadline_s)
            code = answer.reason if answer.number is None else await self._holder(ask, issuer_id, answer.number)
        except HubError as error:
            _tell_failed(ask.operation_id, error)
            code = RefusalCode.reader_failed
        if code is not None:
            log.info("counter_read_refused", operation_id=ask.operation_id, code=str(code))
            await self._store.end(ask.operation_id, "failed", code)

    async def _holder(self, ask: ReadNumber, issuer_id: str | None, number: str) -> str | None:
        """None where the operation goes on."""
        if issuer_id is None:
            return RefusalCode.no_street
        found = await self._bus.call(CitizenBehindServiceId(issuer_id=issuer_id, number=number), DEADLINE_S)
        if found.citizen_id is None:
            return RefusalCode.number_unknown
        kept = Kept(new_citizen_id=uuid7(), proof_id=ask.operation_id)
        # It stays out of any reader: no removal ends it, only time, its act, or the next operation.
        is_proven = await self._store.proven(ask.operation_id, uuid7(), None, found.citizen_id, kept)
        return None if is_proven else RefusalCode.operation_over

    async def _proven(self, ask: ReadCard, answer: CardAnswer) -> str | None:
        """None where the operation goes on, else why it does not."""
        if answer.proof is None:
            return answer.reason
        proof = answer.proof
        proven = await self._bus.call(ProveCard(proof=proof), DEADLINE_S)
        if proven.code is not None:
            return proven.code
        is_new = proof.purpose == Purpose.create_mykey_id
        if is_new != (proven.citizen_id is None):
            return RefusalCode.card_has_mykey_id if is_new else RefusalCode.card_without_mykey_id
        signature = await self._signature(ask, proof.insertion, proven)
        if signature.code is not None:
            return signature.code
        return await self._begun(ask.operation_id, proof, proven, signature)

    async def _signature(self, ask: ReadCard, insertion: UUID, proven: ProvenCard) -> Signature:
        """The serial that is kept for address-change notice, where it is an older card's, and a PIN was typed."""
        if not proven.signature_due or ask.how != "pin" or ask.purpose == Purpose.revoke_mykey_id:
            return Signature(is_due=proven.signature_due)
        if not await self._store.wait_on(ask.operation_id):
            return Signature(is_due=True, code=RefusalCode.operation_over)
        return await renew_signature(self._bus, ask, insertion)

    async def _begun(
        self, operation_id: UUID, proof: CardProof, proven: ProvenCard, signature: Signature
    ) -> str | None:
        """The citizen's session, and with it the operation; the same as `_proven`."""
        session = None
        if proven.citizen_id is not None:
            begun = await self._bus.call(_log_in(proof, proven.citizen_id), DEADLINE_S)
            if begun.session is None:
                return begun.code
            session = begun.session
        kept = Kept(
            new_citizen_id=uuid7(),
            session=session,
            proof_id=proof.job_id,
            signature_serial=proof.signature_serial,
            signature_due=signature.is_due,
        )
        is_proven = await self._store.proven(operation_id, proof.insertion, proven.card_id, proven.citizen_id, kept)
        return None if is_proven else RefusalCode.card_removed

    async def _release(self, terminal_id: str, operation_id: UUID) -> None:
        """The card forgets its PIN. Where the terminal is not reached, the agent lets go by itself."""
        ask = ReleaseCard(terminal_id=terminal_id, operation_id=operation_id)
        with suppress(TransientError):
            await self._bus.call(ask, ask.deadline_s)

    def _start(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(tell_failure("counter_operation"))


def citizen_of(operation: Operation) -> UUID:
    """Whose card was read. Raises ProblemError: nobody's who has a MyKey ID."""
    if operation.citizen_id is None:
        raise refused(RefusalCode.card_without_mykey_id)
    return operation.citizen_id


def _tell_failed(operation_id: UUID, error: HubError) -> None:
    name = type(error).__qualname__
    log.warning("counter_read_failed", operation_id=operation_id, error=name, permanent=error.permanent)


def _is_the_same(operation: Operation, proof: CardProof, proven: ProvenCard) -> bool:
    """The card that was read for this operation. Who made a MyKey ID in it just now is its citizen already."""
    mine = {operation.citizen_id}
    if operation.citizen_id is None and operation.kept is not None:
        mine.add(operation.kept.new_citizen_id)
    is_card = proof.insertion == operation.insertion and proven.card_id == operation.card_id
    return is_card and proven.citizen_id in mine


def _log_in(proof: CardProof, citizen_id: UUID) -> LogInByCard:
    """The log-in has the citizen's own id: address-change notice takes a proof that is used for this citizen."""
    return LogInByCard(login_id=citizen_id, proof_id=proof.job_id, kind=SessionKind.counter, purpose=proof.purpose)
