"""Places where points are used: with the terminals that are issued there, or registered by themselves."""

from collections.abc import Collection, Sequence
from typing import Final

from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.places import Place, Places, PlacesOf, RegisterPlace, place_id_of, spelt
from schemas.problems import RefusalCode
from workers.registry import terminal_statements as terminal_sql

_PLACED: Final = """
WITH told AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS told (place_id, lg_code, name)
), parties AS (
  INSERT INTO registry.party (party_id, kind, name) SELECT place_id, 'store', name FROM told
  ON CONFLICT (party_id) DO NOTHING
)
INSERT INTO registry.place (place_id, lg_code, name) SELECT place_id, lg_code, name FROM told
ON CONFLICT (place_id) DO NOTHING
"""
_PLACES_OF: Final = """
SELECT place_id, name, count(t.terminal_id)::integer AS terminals
FROM registry.place AS p LEFT JOIN registry.terminal AS t
  ON t.lg_code = p.lg_code AND btrim(regexp_replace(normalize(t.place, NFKC), '[[:space:]]+', ' ', 'g')) = p.name
WHERE p.lg_code = $1 GROUP BY place_id ORDER BY name
"""


async def register_places(messages: Sequence[RegisterPlace], tx: Transaction) -> list[Registered]:
    """See RegisterPlace."""
    known = {row[0] for row in await tx.fetch(terminal_sql.MUNICIPALITIES, [message.lg_code for message in messages])}
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
        await tx.execute(_PLACED, *zip(*rows, strict=True))


async def places_of(query: PlacesOf, reading: Reading) -> Places:
    """See PlacesOf."""
    rows = await reading.fetch(_PLACES_OF, query.lg_code)
    return Places(places=[Place(**dict(row)) for row in rows])
