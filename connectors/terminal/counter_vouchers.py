"""「ポイント券」 (画面32–36): issued to whoever's card is in, printed again, redeemed by whoever has the paper."""

from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

import structlog

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_papers import Drawing, VoucherRead, last_day_of, qr_svg, qr_text, read, shown_number
from connectors.terminal.counter_places import Here, here, names_of
from connectors.terminal.counter_point_shapes import (
    IssueForm,
    LookUpForm,
    OpenVoucher,
    OpenVouchers,
    Paper,
    PlaceList,
    PlaceView,
    PrintForm,
    Redeemed,
    RedeemForm,
    VoucherView,
)
from connectors.terminal.counter_points import HASH_BYTES
from connectors.terminal.counter_posting import DEADLINE_S, command_id_of, post, posted
from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import Purpose, redeems
from connectors.terminal.counter_store import Operation
from hub.bus import Bus
from hub.web.problems import ProblemError
from schemas.holds import HoldKind, HoldView
from schemas.places import PlacesOf
from schemas.points import BalanceOf, OutcomesOf, PostingAnswer, PostingCommand
from schemas.problems import ProblemCode, RefusalCode
from schemas.vouchers import IssueVoucher, RedeemVoucher, VoucherOfNumber, VoucherPaperOf

log: Final = structlog.get_logger()


class CounterVouchers:
    """With the citizen's card: issued, printed again."""

    def __init__(self, operations: CounterOperations, bus: Bus, drawing: Drawing) -> None:
        self._operations = operations
        self._bus = bus
        self._drawing = drawing

    async def issue(self, operation_id: UUID, session: Session, form: IssueForm) -> Paper:
        """「発行」. Pressed again it is the same voucher."""
        async with self._operations.at(operation_id, session, Purpose.issue_voucher) as operation:
            at = await here(self._bus, operation.terminal_id)
            await self._operations.still(operation)

            def make(attempt: int) -> PostingCommand:
                return IssueVoucher(
                    party_id=at.place_id,
                    command_id=command_id_of(operation_id, attempt),
                    request_hash=sha256(form.model_dump_json().encode()).digest()[:HASH_BYTES],
                    citizen_id=citizen_of(operation),
                    hold_id=_voucher_id(operation_id, attempt),
                    pool=form.pool,
                    points=form.points,
                    lg_code=at.lg_code,
                    expires_on=form.expires_on,
                    numbers=self._drawing.numbers(operation_id, attempt),
                    check_code=self._drawing.check_code(operation_id, attempt),
                )

            issued = await post(self._bus, operation_id, make)
            paper = await self._paper(at, citizen_of(operation), _voucher_id(operation_id, issued.attempt))
            await self._operations.done(operation)
            log.info("counter_operation_done", operation_id=operation_id, purpose=operation.purpose.value)
            return paper

    async def paper(self, operation_id: UUID, session: Session) -> Paper:
        """「再発行」 right after it (画面34), also where the answer to 「発行」 was lost.

        Raises ProblemError: not_found where no voucher was issued; `operation_over` once the next operation has begun
        here, or some time has passed.
        """
        operation = await self._operations.of(operation_id, session)
        at = await here(self._bus, operation.terminal_id)
        issued = await posted(self._bus, at.place_id, operation_id)
        if operation.purpose is not Purpose.issue_voucher or issued is None:
            raise ProblemError(ProblemCode.not_found)
        if not await self._operations.is_latest(operation):
            raise refused(RefusalCode.operation_over)
        return await self._paper(at, citizen_of(operation), _voucher_id(operation_id, issued.attempt))

    async def open_vouchers(self, operation_id: UUID, session: Session) -> OpenVouchers:
        """What the citizen has that is not redeemed yet."""
        async with self._operations.at(operation_id, session, Purpose.issue_voucher) as operation:
            vouchers = await self._vouchers(operation)
            names = await names_of(self._bus, [one.pool for one in vouchers])
            told = [
                OpenVoucher(
                    voucher_id=one.hold_id,
                    number=shown_number(one.number or ""),
                    name=names[one.pool].name,
                    points=one.points,
                    expires_on=last_day_of(one),
                )
                for one in vouchers
            ]
            return OpenVouchers(vouchers=told)

    async def print_again(self, operation_id: UUID, session: Session, form: PrintForm) -> Paper:
        """「再発行」 of one whose paper was lost: the same number, so that it is redeemed once all the same."""
        async with self._operations.at(operation_id, session, Purpose.issue_voucher) as operation:
            at = await here(self._bus, operation.terminal_id)
            await self._operations.still(operation)
            paper = await self._paper(at, citizen_of(operation), form.voucher_id)
            await self._operations.done(operation)
            log.info("counter_voucher_printed_again", operation_id=operation_id)
            return paper

    async def _vouchers(self, operation: Operation) -> list[HoldView]:
        held = (await self._bus.call(BalanceOf(citizen_id=citizen_of(operation)), DEADLINE_S)).held
        return [one for one in held if one.kind is HoldKind.voucher]

    async def _paper(self, at: Here, citizen_id: UUID, voucher_id: UUID) -> Paper:
        asked = VoucherPaperOf(citizen_id=citizen_id, hold_id=voucher_id)
        found = await self._bus.call(asked, DEADLINE_S)
        voucher, check_code = found.voucher, found.check_code
        if voucher is None or voucher.number is None or check_code is None:
            raise refused(RefusalCode.no_voucher)
        text = qr_text(voucher.number, check_code)
        return Paper(
            voucher_id=voucher_id,
            number=shown_number(voucher.number),
            check_code=check_code,
            qr=text,
            qr_svg=qr_svg(text),
            place=at.place,
            pool=voucher.pool,
            name=(await names_of(self._bus, [voucher.pool]))[voucher.pool].name,
            points=voucher.points,
            expires_on=last_day_of(voucher),
        )


class CounterRedeeming:
    """With the paper alone."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def look_up(self, session: Session, form: LookUpForm) -> VoucherView:
        """「ポイント券情報読取」 (画面35). That the check code is right is told by the redemption."""
        voucher = await self._voucher(_read(session, form.text))
        names = await names_of(self._bus, [voucher.pool])
        return VoucherView(
            number=shown_number(voucher.number or ""),
            state=voucher.state,
            name=names[voucher.pool].name,
            points=voucher.points,
            expires_on=last_day_of(voucher),
        )

    async def redeem(self, session: Session, form: RedeemForm) -> Redeemed:
        """「消込処理」: the whole voucher, once (画面36)."""
        voucher_read = _read(session, form.text)
        at = await here(self._bus, session.terminal_id)
        store = await self._store(at, form.place_id)
        command_id = _redemption_id(form, voucher_read)
        answer = await self._redeemed(at, command_id)
        if answer is None:
            voucher = await self._voucher(voucher_read)
            command = RedeemVoucher(
                party_id=at.place_id,
                command_id=command_id,
                request_hash=sha256(form.model_dump_json().encode()).digest()[:HASH_BYTES],
                citizen_id=voucher.citizen_id,
                hold_id=voucher.hold_id,
                store_id=store.place_id,
                lg_code=at.lg_code,
                check_code=voucher_read.check_code,
            )
            answer = await self._bus.call(command, DEADLINE_S)
        if answer.code is not None:
            raise refused(answer.code)
        log.info("counter_voucher_redeemed", terminal_id=session.terminal_id, command_id=command_id)
        return Redeemed(
            receipt_number=command_id,
            place=store.name,
            number=shown_number(voucher_read.number),
            points=answer.points,
            day=answer.posted_on,
        )

    async def places(self, session: Session) -> PlaceList:
        """On whose behalf a redemption place may redeem."""
        at = await here(self._bus, session.terminal_id)
        found = (await self._bus.call(PlacesOf(lg_code=at.lg_code), DEADLINE_S)).places
        return PlaceList(here=at.place_id, places=[PlaceView(place_id=one.place_id, name=one.name) for one in found])

    async def _store(self, at: Here, place_id: UUID | None) -> PlaceView:
        if place_id is None or place_id == at.place_id:
            return PlaceView(place_id=at.place_id, name=at.place)
        found = (await self._bus.call(PlacesOf(lg_code=at.lg_code), DEADLINE_S)).places
        named = [PlaceView(place_id=one.place_id, name=one.name) for one in found if one.place_id == place_id]
        if not named:
            raise refused(RefusalCode.unknown_store)
        return named[0]

    async def _redeemed(self, at: Here, command_id: str) -> PostingAnswer | None:
        """Asked again, also when the voucher's number is another's by now."""
        found = (await self._bus.call(OutcomesOf(party_id=at.place_id, command_ids=[command_id]), DEADLINE_S)).outcomes
        return found[0].answer if found else None

    async def _voucher(self, asked: VoucherRead) -> HoldView:
        found = (await self._bus.call(VoucherOfNumber(number=asked.number), DEADLINE_S)).vouchers
        if not found:
            raise refused(RefusalCode.no_voucher)
        return found[0]


def _voucher_id(operation_id: UUID, attempt: int) -> UUID:
    return uuid5(operation_id, str(attempt))


def _redemption_id(form: RedeemForm, voucher: VoucherRead) -> str:
    """Under the id that was drawn for one paper another paper is another redemption."""
    paper = sha256(f"{voucher.number}{voucher.check_code}{form.place_id}".encode()).hexdigest()[:HASH_BYTES]
    return f"{form.redemption_id.hex}.{paper}"


def _read(session: Session, text: str) -> VoucherRead:
    if not redeems(session.kind, point_use_too=session.point_use_too):
        raise refused(RefusalCode.not_at_this_terminal)
    voucher = read(text)
    if voucher is None:
        raise refused(RefusalCode.bad_voucher)
    return voucher
