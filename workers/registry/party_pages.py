"""How partners, shops and funds are shown to citizens (画面40, 57): linkage, page, a line about them, logo."""

from collections.abc import Sequence

from hub.transaction import Reading, Transaction
from schemas.links import Logo, LogoOf, Parties, PartiesOf, PartyView, PresentParty
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from workers.registry import statements as sql


async def present_parties(messages: Sequence[PresentParty], tx: Transaction) -> list[Registered]:
    """The last word counts; refused `unknown_party`."""
    rows = await tx.fetch(sql.KNOWN_PARTIES, [message.party_id for message in messages])
    known = {row[0] for row in rows}
    shown = {message.party_id: message for message in messages if message.party_id in known}
    if shown:
        await tx.execute(
            sql.WRITE_PARTY_PAGES,
            list(shown),
            [one.linkage.value for one in shown.values()],
            [one.page_url for one in shown.values()],
            [one.about for one in shown.values()],
            [one.logo for one in shown.values()],
            [one.asks_coupons for one in shown.values()],
        )
    return [
        Registered(id=message.party_id) if message.party_id in known else Registered(code=RefusalCode.unknown_party)
        for message in messages
    ]


async def parties_of(query: PartiesOf, reading: Reading) -> Parties:
    """By name."""
    kinds = None if query.kinds is None else [kind.value for kind in query.kinds]
    party_ids = None if query.party_ids is None else list(query.party_ids)
    rows = await reading.fetch(sql.PARTIES_SHOWN, kinds, party_ids)
    return Parties(parties=[PartyView(**dict(row)) for row in rows])


async def logo_of(query: LogoOf, reading: Reading) -> Logo:
    """Empty where there is none."""
    return Logo(png=await reading.fetch_value(sql.LOGO, query.party_id) or b"")
