"""A citizen's password as it is kept, and one that was given checked against it: counted, and out of any transaction.

Unknown and wrong get the same answer after the same work.
"""

from typing import Final, NamedTuple
from uuid import UUID

from hub import passwords
from hub.apart import committed
from hub.database import Database, Row
from hub.keys import Hasher, Keys, Sealer, place
from hub.transaction import Transaction
from schemas.problems import RefusalCode
from workers.registry import login_statements as sql
from workers.registry.tries import Counter, Tries

DEVICES_LIMIT: Final = 5
"""Browsers a citizen is known by; the one not used for the longest time is forgotten first."""


class Account(NamedTuple):
    """What log-ins need to know of a citizen; without a citizen, of nobody: its hash is what was asked for."""

    citizen_id: UUID | None
    mykey_hash: bytes
    mykey_id: str
    password_sealed: bytes | None


class Attempt(NamedTuple):
    """A password that was given for an account, where from, by which browser."""

    account: Account
    password: str
    source: str
    device: str | None = None
    has_session: bool = False


class Accounts:
    """Finds accounts, and checks passwords."""

    def __init__(self, keys: Keys, database: Database) -> None:
        self._database = database
        self._tries = Tries(keys.hasher("registry.failed-try"))
        self._mykey_hasher: Hasher = keys.hasher("registry.mykey-id")
        self._device_hasher: Hasher = keys.hasher("registry.known-device")
        self._sealer: Sealer = keys.sealer("registry.citizen")

    async def behind(self, mykey_id: str, tx: Transaction) -> Account:
        """The account with this MyKey ID; nobody's where there is none."""
        mykey_hash = self._mykey_hasher.hash(mykey_id.encode())
        row = await tx.fetch_row(sql.ACCOUNT_BEHIND, mykey_hash)
        if row is None:
            return Account(None, mykey_hash, mykey_id, None)
        return Account(row["citizen_id"], mykey_hash, mykey_id, row["password_sealed"])

    async def of(self, citizen_id: UUID, tx: Transaction) -> Account | None:
        """A citizen's account; None where the MyKey ID was revoked."""
        row: Row | None = await tx.fetch_row(sql.ACCOUNT_OF, citizen_id)
        if row is None:
            return None
        mykey_id = self._sealer.open(row["mykey_sealed"], place("registry.citizen", "mykey_id", citizen_id)).decode()
        return Account(citizen_id, row["mykey_hash"], mykey_id, row["password_sealed"])

    async def set_password(self, citizen_id: UUID, kept: str, tx: Transaction) -> None:
        """`kept` is what hub.passwords makes of it."""
        await tx.execute(sql.WRITE_ACCOUNT, citizen_id, self._sealed(citizen_id, kept))

    async def counters(self, attempt: Attempt, tx: Transaction) -> list[Counter] | None:
        """Count the attempt; None where there were too many failures."""
        counters = await self._counters(attempt, tx)
        return counters if await self._tries.begin(counters, tx) else None

    async def _counters(self, attempt: Attempt, tx: Transaction) -> list[Counter]:
        account, known = attempt.account, None
        if attempt.has_session:
            return self._tries.asked_again(account.mykey_hash)
        if attempt.device is not None:
            device_hash = self._device_hash(attempt.device)
            is_known = await tx.fetch_value(sql.KNOWN_DEVICE, account.citizen_id, device_hash)
            known = device_hash if is_known else None
        return self._tries.counters(attempt.source, account.mykey_hash, known)

    async def check(self, attempt: Attempt, counters: list[Counter] | None) -> Account | RefusalCode:
        """The account whose password it is; with no transaction open. Refused `too_many_tries`, `log_in_failed`."""
        if counters is None:
            return RefusalCode.too_many_tries
        account = attempt.account
        kept = self._opened(account)
        if not await passwords.is_right(attempt.password, kept):
            return RefusalCode.log_in_failed
        upgraded = None
        if kept is not None and passwords.needs_upgrade(kept):
            upgraded = await passwords.hashed(attempt.password)
        return await committed(self._database, lambda tx: self._was_right(account, upgraded, counters, tx))

    async def is_still(self, account: Account, tx: Transaction) -> bool:
        """Whether the password is still what it was, and the MyKey ID there; until the transaction ends."""
        row = await tx.fetch_row(sql.LOCK_ACCOUNT, account.citizen_id)
        return row is not None and row["password_sealed"] == account.password_sealed

    async def remember(self, citizen_id: UUID, device: str, tx: Transaction) -> None:
        """This browser is known from now on."""
        await tx.execute(sql.PUT_DEVICE, citizen_id, self._device_hash(device), tx.now)
        await tx.execute(sql.FORGET_OLDEST_DEVICES, citizen_id, DEVICES_LIMIT)

    async def knows(self, citizen_id: UUID, device: str, tx: Transaction) -> bool:
        """Whether the citizen has logged in with this browser before."""
        return bool(await tx.fetch_value(sql.KNOWN_DEVICE, citizen_id, self._device_hash(device)))

    async def _was_right(
        self, account: Account, upgraded: str | None, counters: list[Counter], tx: Transaction
    ) -> Account:
        await self._tries.was_right(counters, tx)
        if upgraded is None or account.citizen_id is None:
            return account
        sealed = self._sealed(account.citizen_id, upgraded)
        await tx.execute(sql.UPGRADE_ACCOUNT, account.citizen_id, account.password_sealed, sealed)
        return account._replace(password_sealed=sealed)

    def _sealed(self, citizen_id: UUID, kept: str) -> bytes:
        return self._sealer.seal(kept.encode(), place("registry.citizen", "password", citizen_id))

    def _opened(self, account: Account) -> str | None:
        if account.password_sealed is None or account.citizen_id is None:
            return None
        sealed_at = place("registry.citizen", "password", account.citizen_id)
        return self._sealer.open(account.password_sealed, sealed_at).decode()

    def _device_hash(self, device: str) -> bytes:
        return self._device_hasher.hash(device.encode())
