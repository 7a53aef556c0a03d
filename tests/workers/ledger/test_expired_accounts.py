"""Expired points of one pool and partition add up over many batches."""

from datetime import timedelta

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from tests.workers.ledger.world import ask, ask_all, citizen, credit, expire

DATED = "scheme:131032"


async def test_two_citizens_points_expire_in_two_batches(ledger: HubProcess, clock: AdjustableClock) -> None:
    first, second = citizen(1), citizen(2)
    await ask_all(ledger, credit("1", first, 5, DATED), credit("2", second, 7, DATED))
    clock.advance(timedelta(days=60))
    assert (await ask(ledger, expire("e1", first))).points == 5
    assert (await ask(ledger, expire("e2", second))).points == 7
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None
