"""Questions about holds: vouchers by their number, a voucher's paper, holds nobody took or answered in time."""

from hub.database import Row
from hub.transaction import Reading
from schemas.holds import DueHold, DueHolds, DueHoldsOf, FoundHold, HoldKind, HoldOf, HoldPlace, HoldState, HoldView
from schemas.merges import OpenMerge, OpenMerges, OpenMergesOf
from schemas.vouchers import VoucherOfNumber, VoucherPaper, VoucherPaperOf, Vouchers
from workers.ledger import state_statements
from workers.ledger.state_store import hold_from


async def voucher_of_number(query: VoucherOfNumber, reading: Reading) -> Vouchers:
    """The open voucher with this number, else the last one that had it."""
    rows = await reading.fetch(state_statements.VOUCHER_OF_NUMBER, query.number)
    return Vouchers(vouchers=[_view(row) for row in rows])


async def voucher_paper_of(query: VoucherPaperOf, reading: Reading) -> VoucherPaper:
    """The same voucher again, with its check code, while it can be redeemed."""
    for row in await reading.fetch(state_statements.HOLDS, [query.hold_id]):
        hold = hold_from(row, reading.sealer)
        mine = hold.citizen_id == query.citizen_id and hold.kind is HoldKind.voucher
        in_time = hold.expires_at is not None and hold.expires_at > reading.clock.now()
        if mine and in_time and hold.state is HoldState.open and hold.check_code is not None:
            return VoucherPaper(voucher=hold.view(), check_code=hold.check_code)
    return VoucherPaper(voucher=None, check_code=None)


async def hold_of(query: HoldOf, reading: Reading) -> FoundHold:
    """Nobody is shown what was set aside for somebody else."""
    for row in await reading.fetch(state_statements.HOLDS, [query.hold_id]):
        hold = hold_from(row, reading.sealer)
        if (hold.citizen_id, hold.counterparty_id) == (query.citizen_id, query.counterparty_id):
            return FoundHold(hold=hold.view())
    return FoundHold()


async def due_holds_of(query: DueHoldsOf, reading: Reading) -> DueHolds:
    """Open holds whose time is over, the oldest first."""
    after = (query.after.at, query.after.hold_id) if query.after else (None, None)
    now = reading.clock.now()
    rows = await reading.fetch(state_statements.DUE_HOLDS, query.partition, now, *after, query.limit)
    holds = [DueHold.model_validate(dict(row)) for row in rows]
    is_full = len(holds) == query.limit
    return DueHolds(
        holds=holds, after=HoldPlace(at=holds[-1].expires_at, hold_id=holds[-1].hold_id) if is_full else None
    )


async def open_merges_of(query: OpenMergesOf, reading: Reading) -> OpenMerges:
    """Merges without an answer, the oldest first."""
    after = (query.after.at, query.after.hold_id) if query.after else (None, None)
    rows = await reading.fetch(state_statements.OPEN_MERGES, query.partition, query.opened_by, *after, query.limit)
    merges = [OpenMerge.model_validate(dict(row)) for row in rows]
    is_full = len(merges) == query.limit
    return OpenMerges(
        merges=merges, after=HoldPlace(at=merges[-1].opened_at, hold_id=merges[-1].hold_id) if is_full else None
    )


def _view(row: Row) -> HoldView:
    return HoldView.model_validate(dict(row))
