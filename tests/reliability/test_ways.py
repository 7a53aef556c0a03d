"""The ways themselves: what they do to both ends is what a network would do."""

from typing import Final

import asyncpg
import pytest

from tests.reliability import ways
from tests.reliability.ways import Direction
from tests.waiting import wait_until

GONE_AFTER_S: Final = 0.5
ANSWER_LIMIT_S: Final = 0.2
IDLE_LIMIT: Final = "100ms"
SESSIONS: Final = "SELECT array_agg(state) FROM pg_stat_activity WHERE application_name = $1"


async def test_a_server_ends_who_was_forgotten_in_the_middle_of_a_statement(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its two halves PostgreSQL does not count a session as idle: its own limit for that never comes."""
    monkeypatch.setattr(ways, "GONE_AFTER_S", GONE_AFTER_S)
    session = {"application_name": "forgotten", "idle_in_transaction_session_timeout": IDLE_LIMIT}
    owner = await asyncpg.connect(database_url)
    async with ways.to_postgres(database_url) as way:
        client = await asyncpg.connect(way.url, server_settings=session)
        await client.execute("BEGIN")
        statement = await client.prepare("SELECT 1")
        way.hold(*Direction)
        way.forget()
        assert await owner.fetchval(SESSIONS, "forgotten") == ["active"]
        await wait_until(lambda: _has_ended(owner))
        with pytest.raises(TimeoutError):  # as ever: he hears nothing
            await statement.fetch(timeout=ANSWER_LIMIT_S)
        client.terminate()
    await owner.close()


async def _has_ended(owner: "asyncpg.Connection[asyncpg.Record]") -> bool:
    return await owner.fetchval(SESSIONS, "forgotten") is None
