"""The ledger as a component."""

from hub.component import Component, Context
from schemas import audit, grants, history, holds, merges, municipalities, points, settlement, vouchers
from workers.ledger import pools, reading, reading_holds
from workers.ledger.book import Terms
from workers.ledger.checkpoints import Checkpoints, signer_of
from workers.ledger.closing import Closing
from workers.ledger.coupons import coupon_of, coupon_report_of, register_coupons, void_coupons
from workers.ledger.details import details_of
from workers.ledger.history import balance_as_of, history_of
from workers.ledger.operations import OPERATIONS
from workers.ledger.provenance import provenance_of
from workers.ledger.proving import follow_chain, verify_ledger
from workers.ledger.settlement import (
    municipal_summary_of,
    partner_summary_of,
    place_summary_of,
    store_summary_of,
)
from workers.ledger.writer import Writer


def component(context: Context) -> Component:
    """Handles every command of points, answers questions about them."""
    settings = context.settings
    writer = Writer(Terms(settings.holding_period_days, settings.refund_least_days, settings.voucher_limit_days))
    return Component(
        name="ledger",
        handlers={
            **dict.fromkeys(OPERATIONS, writer.post),
            grants.RegisterCoupons: register_coupons,
            grants.VoidCoupons: void_coupons,
            municipalities.SchemeRegistered: pools.scheme_registered,
            municipalities.SupportEventRegistered: pools.support_event_registered,
        },
        answers={
            points.BalanceOf: reading.balance_of,
            points.OutcomesOf: reading.outcomes_of,
            points.DueLotsOf: reading.due_lots_of,
            points.HeldByPool: reading.held_by_pool,
            points.HeldIn: reading.held_in,
            history.HistoryOf: history_of,
            history.BalanceAsOf: balance_as_of,
            history.ProvenanceOf: provenance_of,
            holds.HoldOf: reading_holds.hold_of,
            holds.DueHoldsOf: reading_holds.due_holds_of,
            merges.OpenMergesOf: reading_holds.open_merges_of,
            vouchers.VoucherOfNumber: reading_holds.voucher_of_number,
            vouchers.VoucherPaperOf: reading_holds.voucher_paper_of,
            grants.CouponOf: coupon_of,
            grants.CouponReportOf: coupon_report_of,
            audit.FollowChain: follow_chain,
            audit.VerifyLedger: verify_ledger,
            settlement.PartnerSummaryOf: partner_summary_of,
            settlement.MunicipalSummaryOf: municipal_summary_of,
            settlement.StoreSummaryOf: store_summary_of,
            settlement.PlaceSummaryOf: place_summary_of,
            settlement.DetailsOf: details_of,
        },
        jobs=(Checkpoints(context.database, signer_of(settings)).job(), Closing(context.database).job()),
    )
