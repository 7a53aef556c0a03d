"""A linking that is begun again under its id, by another process: the citizen may have the first answer in hand."""

from uuid import UUID, uuid4

from schemas.id_links import BeginLinking, MembershipCheck, SetUpLinkage
from tests.running import running

DEADLINE_S = 10.0
AIR, CITIZEN = UUID(int=0xA1), UUID(int=1)


async def test_begun_again_it_is_the_same_way_out_and_another_linking_has_its_own(database_url: str) -> None:
    async with running(database_url, "partner") as first, running(database_url, "partner") as second:
        membership = MembershipCheck(login_url="https://air.example/log-in")
        await first.bus.call(SetUpLinkage(party_id=AIR, membership=membership), DEADLINE_S)
        begin = BeginLinking(linking_id=uuid4(), citizen_id=CITIZEN, party_id=AIR, browser=bytes(32))
        begun = await first.bus.call(begin, DEADLINE_S)
        assert begun.url.startswith("https://air.example/log-in?linking=")
        assert await second.bus.call(begin, DEADLINE_S) == begun
        other = await second.bus.call(begin.model_copy(update={"linking_id": uuid4()}), DEADLINE_S)
        assert other.url != begun.url
