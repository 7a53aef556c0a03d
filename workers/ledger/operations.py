"""The table of operations: which command is which kind of transfer, and who decides it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from schemas import checkouts, corrections, grants, merges, points, vouchers
from schemas.points import HoldCommand, PostingCommand
from workers.ledger.accounts import Contra, Kind
from workers.ledger.book import Book, Decision
from workers.ledger.decide import (
    checkout,
    correct,
    coupon,
    credit,
    expire,
    grant,
    merge,
    move,
    record_refusal,
    revoke,
    sweep,
    use,
    use_together,
    voucher,
)
from workers.ledger.footprints import (
    all_pools,
    held_for,
    of_everything_held,
    of_hold,
    of_original,
    own_and_reserve,
    own_pool,
    pool_of_coupon,
    pool_of_hold,
    pools_of_original,
    pools_of_parts,
    to_party,
)


class Operation(NamedTuple):
    """One operation: its kind in the books, its pure function, and what of the books it may look at and touch.

    That is the citizen's lots in some pools ('' is all of them), asked for once the book has holds, coupons and
    originals; and contra accounts, asked for once it has the lots too: which pools expire is known only then.
    """

    kind: int
    decide: Callable[[Any, Book], Decision]
    pools: Callable[[Any, Book], tuple[str, ...]] = lambda _command, _book: ()
    contras: Callable[[Any, Book], tuple[Contra, ...]] = lambda _command, _book: ()
    is_about_hold: bool = False
    """Whether its command names a hold; filled in by `_completed`."""


def _completed(operations: Mapping[type[PostingCommand], Operation]) -> Mapping[type[PostingCommand], Operation]:
    """Kinds become plain numbers: those of an enum take ten times as long to print, and every row is hashed as text."""
    return {
        command: operation._replace(kind=int(operation.kind), is_about_hold=issubclass(command, HoldCommand))
        for command, operation in operations.items()
    }


_OPERATIONS: Final[Mapping[type[PostingCommand], Operation]] = {
    points.CreditPoints: Operation(Kind.credit, credit.decide, own_pool, to_party("partner", "party_id")),
    points.MovePoints: Operation(Kind.move, move.decide, own_and_reserve),
    points.SweepReserve: Operation(Kind.sweep, sweep.decide, own_and_reserve),
    points.UsePoints: Operation(Kind.use, use.decide, own_pool, to_party("store", "store_id")),
    points.ExpirePoints: Operation(Kind.expire, expire.decide, all_pools, of_everything_held),
    points.RecordRefusal: Operation(Kind.refusal, record_refusal.decide),
    corrections.UseTogether: Operation(Kind.use_together, use_together.decide, pools_of_parts, use_together.contras),
    grants.GrantPoints: Operation(Kind.grant, grant.decide, own_pool, to_party("programme", "programme_id")),
    grants.CreditCoupon: Operation(Kind.coupon, coupon.decide, pool_of_coupon, to_party("partner", "party_id")),
    vouchers.IssueVoucher: Operation(Kind.voucher_issue, voucher.issue, own_pool, held_for("voucher")),
    vouchers.RedeemVoucher: Operation(Kind.voucher_redeem, voucher.redeem, pool_of_hold, to_party("store", "store_id")),
    vouchers.ExpireVoucher: Operation(Kind.voucher_expire, voucher.expire, pool_of_hold, of_hold()),
    checkouts.AuthorisePoints: Operation(
        Kind.authorise, checkout.authorise, own_pool, held_for("checkout", "shop", "merchant_id")
    ),
    checkouts.CapturePoints: Operation(Kind.capture, checkout.capture, pool_of_hold, of_hold("shop")),
    checkouts.VoidAuthorisation: Operation(Kind.void, checkout.void, pool_of_hold, of_hold()),
    checkouts.ExpireAuthorisation: Operation(Kind.authorisation_expire, checkout.expire, pool_of_hold, of_hold()),
    checkouts.RefundCapture: Operation(Kind.refund, checkout.refund, pool_of_hold, of_hold("shop")),
    merges.SendMerge: Operation(Kind.merge_send, merge.send, own_pool, held_for("merge", "street", "street_id")),
    merges.AcknowledgeMerge: Operation(Kind.merge_acknowledge, merge.acknowledge, pool_of_hold, of_hold("street")),
    merges.ReturnMerge: Operation(Kind.merge_return, merge.give_back, pool_of_hold, of_hold()),
    corrections.RevokeCitizen: Operation(Kind.revoke, revoke.decide, all_pools, of_everything_held),
    corrections.CorrectPosting: Operation(Kind.correct, correct.decide, pools_of_original, of_original),
}
OPERATIONS: Final = _completed(_OPERATIONS)

ALLOWED_ONCE_REVOKED: Final = frozenset(
    {
        points.RecordRefusal,
        vouchers.RedeemVoucher,
        vouchers.ExpireVoucher,
        checkouts.CapturePoints,
        checkouts.VoidAuthorisation,
        checkouts.ExpireAuthorisation,
        checkouts.RefundCapture,
        corrections.CorrectPosting,
        merges.AcknowledgeMerge,
        merges.ReturnMerge,
    }
)
"""What was set aside before the revocation finds its end, and whoever took what was spent may give it back, since a
municipality pays them for it. What would come back to the citizen expires; nothing comes in."""
REVERSIBLE: Final = frozenset({Kind.credit, Kind.move, Kind.sweep, Kind.use, Kind.use_together, Kind.grant})
"""Kinds that a correction may reverse. What is set aside has its own ways back; what ended stays ended."""
SETS_ASIDE: Final = frozenset({Kind.voucher_issue, Kind.authorise, Kind.merge_send})
"""Kinds that make a hold."""
