"""ID linkage: a proven account of a partner, shop or fund becomes a citizen's (画面57)."""

from collections.abc import Sequence
from uuid import UUID

from hub.keys import Keys
from hub.transaction import Reading, Transaction
from schemas.citizens import CitizenLinked
from schemas.id_links import AccountLinked, LinkAccount, LinkIds, LinkIdsOf, LinkMade
from schemas.logins import SessionKind
from schemas.problems import RefusalCode
from workers.registry import statements as sql
from workers.registry.citizens import held
from workers.registry.sessions import Sessions, is_confirmed


class AccountLinks:
    """Makes links that are known by (issuer, subject), under a pairwise id."""

    def __init__(self, keys: Keys, sessions: Sessions) -> None:
        self._keys = keys
        self._sessions = sessions

    async def link(self, messages: Sequence[LinkAccount], tx: Transaction) -> list[LinkMade]:
        """One by one: a person has clicked."""
        return [await self._link(message, tx, about) for about, message in enumerate(messages)]

    async def _link(self, message: LinkAccount, tx: Transaction, about: int) -> LinkMade:
        session = await self._sessions.alive(message.session, tx.now, tx)
        if session is None or session.kind is not SessionKind.citizen:
            return LinkMade(code=RefusalCode.no_session)
        if not is_confirmed(session, tx.now):
            return LinkMade(code=RefusalCode.confirm_again)
        citizen_id, party_id = session.subject_id, message.party_id
        if not await held([citizen_id], tx):
            return LinkMade(code=RefusalCode.no_session)
        if not await tx.fetch_value(sql.LINKABLE_PARTIES, [party_id]):
            return LinkMade(code=RefusalCode.unknown_party)
        code, link_id = await self._before(message, citizen_id, tx)
        if code is None and link_id is None:
            link_id = str(self._keys.pairwise_id(party_id, citizen_id))
            await tx.execute(sql.LINK_ACCOUNT, party_id, link_id, citizen_id, tx.now, message.account_hash)
            tx.emit(CitizenLinked(citizen_id=citizen_id, party_id=party_id, link_id=link_id), about)
            tx.emit(AccountLinked(citizen_id=citizen_id, party_id=party_id), about)
        return LinkMade(code=code, link_id=link_id)

    @staticmethod
    async def _before(message: LinkAccount, citizen_id: UUID, tx: Transaction) -> tuple[RefusalCode | None, str | None]:
        """Why it cannot be linked, or the link id under which it is already."""
        for row in await tx.fetch(sql.LINKS_BEFORE, message.party_id, message.account_hash, citizen_id):
            if row["citizen_id"] != citizen_id:
                return RefusalCode.link_taken, None
            if row["account_hash"] != message.account_hash:
                return RefusalCode.already_linked, None
            return None, row["link_id"]
        return None, None

    @staticmethod
    async def link_ids_of(query: LinkIdsOf, reading: Reading) -> LinkIds:
        """By the accounts' hashes."""
        rows = await reading.fetch(sql.LINK_IDS_OF_ACCOUNTS, query.party_id, list(query.account_hashes))
        return LinkIds(link_ids={row["account_hash"].hex(): row["link_id"] for row in rows})
