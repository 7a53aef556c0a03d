"""「ポイント券」 (画面32–36): issued to whoever's card is in, printed again, redeemed by whoever has the paper."""

from typing import Final
from uuid import UUID, uuid5

import structlog

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_papers import Drawing, VoucherRead, last_day_of, qr_svg, qr_text, read, shown_number
from connectors.terminal.counter_places import Here, here, name_of, names_of
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
from connectors.terminal.counter_posting import DEADLINE_S, Asking, CounterPosting, Posted, hash_of, request_hash
from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import Purpose, redeems
from connectors.terminal.counter_store import Operation
from hub.bus import Bus
from schemas.holds import HoldKind, HoldView
from schemas.places import PlacesOf
from schemas.points import BalanceOf, OutcomesOf, PostingAnswer, PostingCommand
from schemas.problems import RefusalCode
from schemas.vouchers import IssueVoucher, RedeemVoucher, VoucherOfNumber, VoucherPaperOf

PAPER_CHARS: Final = 31
"""What is left of 64 characters for telling papers apart."""

log: Final = structlog.get_logger()


class CounterVouchers:
    """With the citizen's card: issued, printed again."""

    def __init__(self, operations: CounterOperations, posting: CounterPosting, bus: Bus, drawing: Drawing) -> None:
        self._operations = operations
        self._posting = posting
        self._bus = bus
        self._drawing = drawing

    async def issue(self, operation_id: UUID, session: Session, form: IssueForm) -> Paper:
        """「発行」. Pressed again it is the same voucher."""

        def make(asking: Asking) -> PostingCommand:
            return IssueVoucher(
                party_id=asking.at.place_id,
                command_id=asking.command_id,
                request_hash=request_hash(form),
                citizen_id=citizen_of(asking.operation),
                hold_id=_voucher_id(operation_id, asking.attempt),
                pool=form.pool,
                points=form.points,
                lg_code=asking.at.lg_code,
                expires_on=form.expires_on,
                numbers=self._drawing.numbers(operation_id, asking.attempt),
                check_code=self._drawing.check_code(operation_id, asking.attempt),
            )

        return await self._issued(await self._posting.post(operation_id, session, Purpose.issue_voucher, make))

    async def paper(self, operation_id: UUID, session: Session) -> Paper:
        """「再発行」 right after it (画面34), also where the answer to 「発行」 was lost.

        Raises ProblemError, as `CounterPosting.posted`.
        """
        return await self._issued(await self._posting.posted(operation_id, session, Purpose.issue_voucher))

    async def _issued(self, issued: Posted) -> Paper:
        operation, at, attempt = issued.asking
        return await self._paper(at, citizen_of(operation), _voucher_id(operation.operation_id, attempt))

    async def open_vouchers(self, operation_id: UUID, session: Session) -> OpenVouchers:
        """What the citizen has that is not redeemed yet."""
        async with self._operations.at(operation_id, session, Purpose.issue_voucher) as operation:
            at = await here(self._bus, operation.terminal_id)
            vouchers = await self._vouchers(operation, at)
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

    async def _vouchers(self, operation: Operation, at: Here) -> list[HoldView]:
        held = (await self._bus.call(BalanceOf(citizen_id=citizen_of(operation)), DEADLINE_S)).held
        return [one for one in held if one.kind is HoldKind.voucher and one.lg_code == at.lg_code]

    async def _paper(self, at: Here, citizen_id: UUID, voucher_id: UUID) -> Paper:
        asked = VoucherPaperOf(citizen_id=citizen_id, hold_id=voucher_id)
        found = await self._bus.call(asked, DEADLINE_S)
        voucher, check_code = found.voucher, found.check_code
        if voucher is None or voucher.number is None or check_code is None or voucher.lg_code != at.lg_code:
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
            name=await name_of(self._bus, voucher.pool),
            points=voucher.points,
            expires_on=last_day_of(voucher),
        )


class CounterRedeeming:
    """With the paper alone."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def look_up(self, session: Session, form: LookUpForm) -> VoucherView:
        """「ポイント券情報読取」 (画面35). That the check code is right is told by the redemption."""
        voucher_read, at = _read(session, form.text), await here(self._bus, session.terminal_id)
        voucher = await self._voucher(voucher_read)
        if voucher.lg_code != at.lg_code:
            raise refused(RefusalCode.not_usable_here)
        return VoucherView(
            number=shown_number(voucher.number or ""),
            state=voucher.state,
            name=await name_of(self._bus, voucher.pool),
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
                request_hash=request_hash(form),
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
        return PlaceList(here=at.place_id, places=await self._places(at))

    async def _store(self, at: Here, place_id: UUID | None) -> PlaceView:
        if place_id is None or place_id == at.place_id:
            return PlaceView(place_id=at.place_id, name=at.place)
        found = next((one for one in await self._places(at) if one.place_id == place_id), None)
        if found is None:
            raise refused(RefusalCode.unknown_store)
        return found

    async def _places(self, at: Here) -> list[PlaceView]:
        found = (await self._bus.call(PlacesOf(lg_code=at.lg_code), DEADLINE_S)).places
        return [PlaceView(place_id=one.place_id, name=one.name) for one in found]

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
    paper = hash_of(f"{voucher.number}{voucher.check_code}{form.place_id}").hex()[:PAPER_CHARS]
    return f"{form.redemption_id.hex}.{paper}"


def _read(session: Session, text: str) -> VoucherRead:
    if not redeems(session.kind, point_use_too=session.point_use_too):
        raise refused(RefusalCode.not_at_this_terminal)
    voucher = read(text)
    if voucher is None:
        raise refused(RefusalCode.bad_voucher)
    return voucher
