"""The ledger as a component."""

from hub.branches import Settling
from hub.component import Component, Context
from schemas import audit, corrections, grants, history, holds, merges, municipalities, points, settlement, vouchers
from workers.ledger import pools, reading, reading_holds, together
from workers.ledger.book import Terms
from workers.ledger.checkpoints import Checkpoints, signer_of
from workers.ledger.closing import Closing
from workers.ledger.coupons import coupon_of, coupon_report_of, register_coupons, void_coupons
from workers.ledger.details import details_of
from workers.ledger.history import balance_as_of, history_of
from workers.ledger.operations import OPERATIONS
from workers.ledger.originals import original_of
from workers.ledger.provenance import provenance_of
from workers.ledger.proving import follow_chain, verify_ledger
from workers.ledger.settlement import (
    municipal_summary_of,
    partner_summary_of,
    place_summary_of,
    store_summary_of,
)
from workers.ledger.spread import Spread
from workers.ledger.writer import Writer


def component(context: Context) -> Component:
    """Handles every command of points, answers questions about them."""
    settings = context.settings
    spread = Spread(context.database)
    terms = Terms(settings.holding_period_days, settings.refund_least_days, settings.voucher_limit_days)
    writer = Writer(terms, spread)
    jobs = [Checkpoints(context.database, spread, signer_of(settings)).job(), Closing(spread).job()]
    if settings.partition_databases:
        jobs.append(Settling(context.database).job())
    return Component(
        name="ledger",
        handlers={
            **dict.fromkeys(OPERATIONS, writer.post),
            grants.RegisterCoupons: register_coupons,
            grants.VoidCoupons: void_coupons,
            municipalities.SchemeRegistered: spread.in_each(pools.scheme_registered),
            municipalities.SupportEventRegistered: spread.in_each(pools.support_event_registered),
        },
        answers={
            points.BalanceOf: spread.of_citizen(reading.balance_of),
            points.UsableAtOf: spread.of_citizen(reading.usable_at_of),
            points.OutcomesOf: spread.of_all(reading.outcomes_of, together.outcomes),
            points.DueLotsOf: spread.of_partition(reading.due_lots_of),
            points.HeldByPool: spread.of_all(reading.held_by_pool, together.totals),
            points.HeldIn: spread.of_all(reading.held_in, together.totals),
            history.HistoryOf: spread.of_citizen(history_of),
            history.BalanceAsOf: spread.of_citizen(balance_as_of),
            history.ProvenanceOf: spread.of_all(provenance_of, together.provenance),
            corrections.OriginalOf: spread.of_all(original_of, together.original),
            holds.HoldOf: spread.of_citizen(reading_holds.hold_of),
            holds.DueHoldsOf: spread.of_partition(reading_holds.due_holds_of),
            merges.OpenMergesOf: spread.of_partition(reading_holds.open_merges_of),
            vouchers.VoucherOfNumber: spread.of_all(reading_holds.voucher_of_number, together.vouchers),
            vouchers.VoucherPaperOf: spread.of_citizen(reading_holds.voucher_paper_of),
            grants.CouponOf: coupon_of,
            grants.CouponReportOf: coupon_report_of,
            audit.FollowChain: spread.of_partition(follow_chain),
            audit.VerifyLedger: spread.of_partition(verify_ledger),
            settlement.PartnerSummaryOf: spread.of_all(partner_summary_of, together.summaries),
            settlement.MunicipalSummaryOf: spread.of_all(municipal_summary_of, together.summaries),
            settlement.StoreSummaryOf: spread.of_all(store_summary_of, together.summaries),
            settlement.PlaceSummaryOf: spread.of_all(place_summary_of, together.place_summaries),
            settlement.DetailsOf: spread.of_all(details_of, together.details),
        },
        jobs=jobs,
        is_partitioned=True,
    )
