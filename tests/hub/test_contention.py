"""F20: two at once meet in PostgreSQL: the whole is run again, so often and no oftener, and never in part."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import pytest

from hub.errors import ContendedError
from hub.runner import RERUN_LIMIT
from hub.transaction import Transaction
from schemas.points import PostingAnswer
from tests.hub.parts import Probe, at_work, credit, fake, key_in, record

DEADLINE_S: Final = 30.0
ACCOUNTS: Final = """
CREATE TABLE probe.account (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO probe.account VALUES (0, 0), (1, 0);
GRANT SELECT, UPDATE ON probe.account TO mykey_component;
"""
ADD: Final = "UPDATE probe.account SET balance = balance + $2 WHERE id = $1"
BALANCES: Final = "SELECT balance FROM probe.account ORDER BY id"
MEETS: Final = """
CREATE SEQUENCE probe.met;
CREATE FUNCTION probe.meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF nextval('probe.met') <= TG_ARGV[0]::int THEN
        RAISE EXCEPTION 'two at once met' USING ERRCODE = TG_ARGV[1];
    END IF;
    RETURN NULL;
END $$;
"""
MEET_SERIALIZATION: Final = """
CREATE TRIGGER meet AFTER INSERT ON probe.done FOR EACH STATEMENT EXECUTE FUNCTION probe.meet('{times}', '{state}')
"""
TIMES: Final = "SELECT last_value FROM probe.met"


async def test_two_workers_that_lock_in_opposite_order_are_both_done_once(probe: Probe) -> None:
    """A real deadlock: each holds the row that the other wants."""
    await probe.connection.execute(ACCOUNTS)
    both_hold = asyncio.Barrier(2)
    met: list[asyncpg.DeadlockDetectedError] = []

    async def handle(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        first = messages[0].points % 2
        await tx.execute(ADD, first, 1)
        if not met:
            await both_hold.wait()
        try:
            await tx.execute(ADD, 1 - first, 1)
        except asyncpg.DeadlockDetectedError as error:
            met.append(error)
            raise
        return await record("ledger", messages, tx)

    async with at_work(probe.url, fake("ledger", handle)) as one, at_work(probe.url, fake("ledger", handle)) as other:
        answers = await asyncio.gather(
            one.bus.call(credit(1, key_in(1)), DEADLINE_S), other.bus.call(credit(2, key_in(2)), DEADLINE_S)
        )

    assert [answer.points for answer in answers] == [1, 2]
    assert len(met) == 1
    assert sorted(await probe.numbers("ledger")) == [1, 2]
    assert [row["balance"] for row in await probe.connection.fetch(BALANCES)] == [2, 2]


@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize("times", [1, RERUN_LIMIT - 1, RERUN_LIMIT])
async def test_what_is_met_again_and_again_has_a_limit(probe: Probe, state: str, times: int) -> None:
    """PostgreSQL's own error, so many times in a row."""
    await probe.connection.execute(MEETS + MEET_SERIALIZATION.format(times=times, state=state))
    async with at_work(probe.url, fake("ledger")) as process:
        if times < RERUN_LIMIT:
            assert (await process.bus.call(credit(1), DEADLINE_S)).points == 1
            assert await probe.connection.fetchval(TIMES) == times + 1
        else:
            with pytest.raises(ContendedError):
                await process.bus.call(credit(1), DEADLINE_S)
            assert await probe.numbers("ledger") == []
            assert (await process.bus.call(credit(1), DEADLINE_S)).points == 1
    assert await probe.numbers("ledger") == [1]
