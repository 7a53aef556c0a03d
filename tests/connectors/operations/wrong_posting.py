"""A ledger in which 30 of a citizen's 100 points were used by mistake, behind the operators' door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from connectors.operations.acts import Role
from hub.installed import installed
from schemas.points import PostingCommand
from tests.connectors.operations.desk import Desk, desk_at
from tests.workers.ledger.world import FOREVER, ask_all, citizen, credit, open_pools, use

ME: Final = citizen(1)
GIVEN: Final = credit("1", ME, 100, FOREVER)
WRONG: Final = use("u", ME, 30)


@asynccontextmanager
async def wrongly_posted(owner_url: str) -> AsyncIterator[Desk]:
    """The door, in one process with the ledger and the registry."""
    async with desk_at(owner_url, *installed(("ledger", "registry"))) as desk:
        await open_pools(desk.process.database_of("ledger"))
        await ask_all(desk.process, GIVEN, WRONG)
        yield desk


def asked_for(posting: PostingCommand = WRONG, reason: str = "typed twice") -> dict[str, str]:
    """The body of a request."""
    return {"party_id": str(posting.party_id), "command_id": posting.command_id, "reason": reason}


async def begun(desk: Desk, posting: PostingCommand = WRONG, role: Role = Role.operator) -> str:
    """The id of a request that waits for a decision."""
    return str((await desk.do("/corrections", asked_for(posting), role))["correction_id"])
