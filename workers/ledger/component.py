"""The ledger as a component."""

from hub.component import Component, Context
from schemas import audit, municipalities, points, settlement
from workers.ledger import pools, reading
from workers.ledger.audit import verify_ledger
from workers.ledger.operations import OPERATIONS
from workers.ledger.settlement import municipal_summary_of, partner_summary_of
from workers.ledger.writer import Writer


def component(context: Context) -> Component:
    """Handles every command of points, answers questions about them."""
    writer = Writer(context.settings.holding_period_days)
    return Component(
        name="ledger",
        handlers={
            **dict.fromkeys(OPERATIONS, writer.post),
            municipalities.SchemeRegistered: pools.scheme_registered,
            municipalities.SupportEventRegistered: pools.support_event_registered,
        },
        answers={
            points.BalanceOf: reading.balance_of,
            points.OutcomesOf: reading.outcomes_of,
            points.DueLotsOf: reading.due_lots_of,
            points.HeldByPool: reading.held_by_pool,
            points.HeldIn: reading.held_in,
            audit.VerifyLedger: verify_ledger,
            settlement.PartnerSummaryOf: partner_summary_of,
            settlement.MunicipalSummaryOf: municipal_summary_of,
        },
    )
