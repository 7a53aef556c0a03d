"""The settings of library systems: registered by the ministry, credentials sealed, read anew for each question."""

import json
from collections.abc import Sequence
from typing import Final

from hub.database import Database
from hub.keys import Sealer, place
from hub.transaction import Reading, Transaction
from schemas.libraries import LibrarySite, LibrarySites, LibrarySitesOf, LibrarySiteView, RegisterLibrarySite
from schemas.municipalities import Registered

_TABLE: Final = "library.site"
_CREDENTIALS: Final = frozenset({"login", "password", "terminal_password"})

WRITE: Final = """
INSERT INTO library.site (issuer_id, settings, credentials_sealed)
SELECT * FROM unnest($1::text[], $2::jsonb[], $3::bytea[])
ON CONFLICT (issuer_id) DO UPDATE SET
  settings = excluded.settings, credentials_sealed = excluded.credentials_sealed
"""
SITE: Final = "SELECT settings, credentials_sealed FROM library.site WHERE issuer_id = $1"
SITES: Final = "SELECT settings FROM library.site ORDER BY issuer_id"


class Sites:
    """Writes and reads `library.site`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def register(self, messages: Sequence[RegisterLibrarySite], tx: Transaction) -> list[Registered]:
        """The last word counts."""
        sites = {message.site.issuer_id: message.site for message in messages}
        await tx.execute(
            WRITE,
            list(sites),
            [site.model_dump_json(exclude=set(_CREDENTIALS)) for site in sites.values()],
            [self._sealed(site) for site in sites.values()],
        )
        return [Registered(id=message.key()) for message in messages]

    async def of(self, issuer_id: str) -> LibrarySite | None:
        """This issuer's library system, or None where none is registered."""
        async with self._database.reading() as reading:
            row = await reading.fetch_row(SITE, issuer_id)
        if row is None:
            return None
        credentials = self._sealer.open(row["credentials_sealed"], place(_TABLE, "credentials", issuer_id))
        return LibrarySite.model_validate({**json.loads(row["settings"]), **json.loads(credentials)})

    async def all(self, _query: LibrarySitesOf, reading: Reading) -> LibrarySites:
        """Answers LibrarySitesOf."""
        rows = await reading.fetch(SITES)
        return LibrarySites(sites=[LibrarySiteView.model_validate_json(row["settings"]) for row in rows])

    def _sealed(self, site: LibrarySite) -> bytes:
        credentials = site.model_dump_json(include=set(_CREDENTIALS)).encode()
        return self._sealer.seal(credentials, place(_TABLE, "credentials", site.issuer_id))
