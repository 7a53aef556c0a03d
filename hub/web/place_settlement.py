"""自治体ポイント集計 as a place is told it (画面87): a shop, a fund, a store with a terminal."""

from datetime import date

from pydantic import BaseModel, ConfigDict

from schemas.settlement import Summary
from schemas.values import LgCode, Pool


class PlaceSettlementLine(BaseModel):
    """What of one kind a municipality settles with you, in one of its pools.

    `direction` is 1 where `points` are owed to you, −1 where they are paid less: a refund.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    direction: int
    lg_code: LgCode | None
    pool: Pool
    transactions: int
    points: int


class PlaceSettlement(BaseModel):
    """自治体ポイント集計 (画面87): first to last day inclusive, Asia/Tokyo.

    `points` are to be paid to you: what was `used` less what was `returned`. What each municipality pays is the sum of
    the lines with its `lg_code`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: date
    last: date
    transactions: int
    used: int
    returns: int
    returned: int
    points: int
    lines: list[PlaceSettlementLine]


def settlement_of(summary: Summary) -> PlaceSettlement:
    """Of what is settled: points set aside and given back are nobody's debt."""
    lines = [
        PlaceSettlementLine(
            kind=line.kind,
            direction=line.direction,
            lg_code=line.lg_code,
            pool=line.pool,
            transactions=line.transactions,
            points=line.points,
        )
        for line in summary.lines
        if line.direction
    ]
    used, returned = ([line for line in lines if line.direction == way] for way in (1, -1))
    return PlaceSettlement(
        first=summary.first,
        last=summary.last,
        transactions=sum(line.transactions for line in used),
        used=sum(line.points for line in used),
        returns=sum(line.transactions for line in returned),
        returned=sum(line.points for line in returned),
        points=sum(line.points * line.direction for line in lines),
        lines=lines,
    )
