"""A street's software asks the agent beside it whose card is in, from its pairing to the street point ID."""

from pathlib import Path

from schemas.problems import RefusalCode
from tests.connectors.street.test_counter import with_card
from tests.connectors.street.town import town
from tests.peers.card.authority import CardAuthority
from tests.reader_agent.test_street import Software, beside


async def test_the_street_point_id_behind_a_card(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with (
        town(database_url, tmp_path, card_authority, office=True) as street,
        beside(tmp_path / "own", street.asking) as software,
    ):
        await software.pair()
        assert (await read(software))["code"] == RefusalCode.no_card
        await with_card(street, card_authority)
        told = await read(software)
        assert (told["state"], told.get("member_id")) == ("done", "520626")


async def read(software: Software) -> dict[str, str]:
    """With the person's consent."""
    read_id = await software.start()
    assert await software.press("/street-consent", read_id=read_id, answer="yes") == 303
    return dict(await software.ended(read_id))
