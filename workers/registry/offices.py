"""Who looks after a scheme or an event, and where its money goes (画面4, 5): both sealed."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from hub.database import Row
from hub.keys import Keys, place
from hub.transaction import Reading, Transaction
from schemas.bank_accounts import BankAccount
from schemas.message import Said
from schemas.municipalities import (
    MunicipalOffice,
    MunicipalOffices,
    MunicipalOfficesOf,
    OfficeView,
    Registered,
    RegisterScheme,
    RegisterSupportEvent,
)
from schemas.values import event_pool, scheme_pool
from workers.registry import municipalities
from workers.registry import statements as sql

_TABLE: Final = "registry.office"

Sealed = TypeVar("Sealed", bound=Said)


class Told(NamedTuple):
    """Of a pool; None is what was not told."""

    office: MunicipalOffice | None = None
    account: BankAccount | None = None


class OfficeBook:
    """Registers schemes and events, and keeps what is told of their offices in the same transaction."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer(_TABLE)

    async def register_schemes(self, messages: Sequence[RegisterScheme], tx: Transaction) -> list[Registered]:
        """See `municipalities.register_schemes`."""
        answers = await municipalities.register_schemes(messages, tx)
        taken = [one for one, answer in zip(messages, answers, strict=True) if answer.code is None]
        await self._keep([(scheme_pool(one.lg_code), one) for one in taken], tx)
        return answers

    async def register_support_events(
        self, messages: Sequence[RegisterSupportEvent], tx: Transaction
    ) -> list[Registered]:
        """See `municipalities.register_support_events`."""
        answers = await municipalities.register_support_events(messages, tx)
        taken = [one for one, answer in zip(messages, answers, strict=True) if answer.code is None]
        await self._keep([(event_pool(one.event_id), one) for one in taken], tx)
        return answers

    async def of(self, query: MunicipalOfficesOf, reading: Reading) -> MunicipalOffices:
        """Opened."""
        rows = await reading.fetch(sql.OFFICES_OF, query.lg_code)
        return MunicipalOffices(offices=[self._view(row) for row in rows])

    async def _keep(self, told: Sequence[tuple[str, RegisterScheme | RegisterSupportEvent]], tx: Transaction) -> None:
        """The last word counts, each of office and account by itself; the same again changes nothing."""
        anew = [(pool, one) for pool, one in told if one.office or one.account]
        if not anew:
            return
        before = await self._kept([pool for pool, one in anew for pool in (pool, scheme_pool(one.lg_code))], tx)
        after = dict(before)
        for pool, one in anew:
            kept = after.get(pool, Told())
            account = _own(one.account, pool, after.get(scheme_pool(one.lg_code))) if one.account else kept.account
            after[pool] = Told(one.office or kept.office, account)
        lg_codes = {pool: one.lg_code for pool, one in anew}
        changed = {pool: after[pool] for pool in lg_codes if after[pool] != before.get(pool, Told())}
        if changed:
            await self._write(changed, lg_codes, tx)

    async def _kept(self, pools: Sequence[str], tx: Transaction) -> dict[str, Told]:
        rows = await tx.fetch(sql.LOCK_OFFICES, list(set(pools)))
        return {row["pool"]: self._told(row) for row in rows}

    async def _write(self, changed: Mapping[str, Told], lg_codes: Mapping[str, str], tx: Transaction) -> None:
        await tx.execute(
            sql.WRITE_OFFICES,
            list(changed),
            [lg_codes[pool] for pool in changed],
            [self._seal(one.office, "office", pool) for pool, one in changed.items()],
            [self._seal(one.account, "account", pool) for pool, one in changed.items()],
            tx.now,
        )

    def _view(self, row: Row) -> OfficeView:
        told = self._told(row)
        named = {name: row[name] for name in ("pool", "point_name", "changed_at")}
        return OfficeView(**named, office=told.office, account=told.account)

    def _told(self, row: Row) -> Told:
        office = self._open(row["office_sealed"], MunicipalOffice, "office", row["pool"])
        return Told(office, self._open(row["account_sealed"], BankAccount, "account", row["pool"]))

    def _seal(self, value: Said | None, column: str, pool: str) -> bytes | None:
        if value is None:
            return None
        return self._sealer.seal(value.model_dump_json().encode(), place(_TABLE, column, pool))

    def _open(self, sealed: bytes | None, kind: type[Sealed], column: str, pool: str) -> Sealed | None:
        if sealed is None:
            return None
        return kind.model_validate_json(self._sealer.open(sealed, place(_TABLE, column, pool)))


def _own(account: BankAccount, pool: str, scheme: Told | None) -> BankAccount | None:
    """An event's is its own only where it differs from its municipality's scheme."""
    is_schemes = pool.startswith("event:") and scheme is not None and account == scheme.account
    return None if is_schemes else account
