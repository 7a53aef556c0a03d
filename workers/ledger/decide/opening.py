"""Why no points may come into a pool; shared by the operations that bring points in."""

from schemas.problems import RefusalCode
from schemas.values import RESERVE
from workers.ledger.accounts import PoolRule


def closed_code(pool: str, rule: PoolRule | None) -> RefusalCode:
    """The refusal for a pool that is not there, or not open today."""
    if pool == RESERVE:
        return RefusalCode.same_pool
    if pool.startswith("event:"):
        return RefusalCode.event_closed if rule else RefusalCode.no_event
    return RefusalCode.scheme_closed if rule else RefusalCode.no_scheme
