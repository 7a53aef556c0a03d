"""Questions about holds: vouchers by their number, a voucher's paper, holds nobody took in time."""

from hub.database import Row
from hub.transaction import Reading
from schemas.holds import DueHold, DueHolds, DueHoldsOf, HoldState, HoldView
from schemas.vouchers import VoucherOfNumber, VoucherPaper, VoucherPaperOf, Vouchers
from workers.ledger import state_statements
from workers.ledger.state_store import hold_from


async def voucher_of_number(query: VoucherOfNumber, reading: Reading) -> Vouchers:
    """The open voucher with this number, if there is one."""
    rows = await reading.fetch(state_statements.VOUCHER_OF_NUMBER, query.number)
    return Vouchers(vouchers=[_view(row) for row in rows])


async def voucher_paper_of(query: VoucherPaperOf, reading: Reading) -> VoucherPaper:
    """The same voucher again, with its check code, while it can be redeemed."""
    for row in await reading.fetch(state_statements.HOLDS, [query.hold_id]):
        hold = hold_from(row, reading.sealer)
        if hold.citizen_id == query.citizen_id and hold.state is HoldState.open:
            return VoucherPaper(voucher=hold.view(), check_code=hold.check_code)
    return VoucherPaper(voucher=None, check_code=None)


async def due_holds_of(query: DueHoldsOf, reading: Reading) -> DueHolds:
    """Open holds whose time is over, the oldest first."""
    rows = await reading.fetch(state_statements.DUE_HOLDS, query.partition, reading.clock.now(), query.limit)
    return DueHolds(holds=[DueHold.model_validate(dict(row)) for row in rows])


def _view(row: Row) -> HoldView:
    return HoldView.model_validate(dict(row))
