"""Places where points are used: with the terminals that are issued there, or registered by themselves."""

from collections.abc import Collection, Sequence

from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.places import Place, Places, PlacesOf, RegisterPlace, place_id_of, spelt
from schemas.problems import RefusalCode
from workers.registry import terminal_statements as sql


async def register_places(messages: Sequence[RegisterPlace], tx: Transaction) -> list[Registered]:
    """See RegisterPlace."""
    known = {row[0] for row in await tx.fetch(sql.MUNICIPALITIES, [message.lg_code for message in messages])}
    await keep_places({(message.lg_code, message.name) for message in messages if message.lg_code in known}, tx)
    return [
        Registered(id=place_id_of(message.lg_code, message.name))
        if message.lg_code in known
        else Registered(code=RefusalCode.bad_code)
        for message in messages
    ]


async def keep_places(named: Collection[tuple[str, str]], tx: Transaction) -> None:
    """Places by their municipality's code and their name; those that there are stay as they are."""
    rows = sorted({(place_id_of(lg_code, name), lg_code, spelt(name)) for lg_code, name in named})
    if rows:
        await tx.execute(sql.PLACED, *zip(*rows, strict=True))


async def places_of(query: PlacesOf, reading: Reading) -> Places:
    """See PlacesOf."""
    rows = await reading.fetch(sql.PLACES_OF, query.lg_code)
    return Places(places=[Place(**dict(row)) for row in rows])
