"""Logging in by password or card, being asked again, and what may be changed after it (画面18, 19, 59)."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from hub import passwords
from hub.apart import committed
from hub.database import Database
from hub.keys import Keys, place
from hub.transaction import Transaction
from schemas.logins import (
    ChangeMailAddress,
    ChangePassword,
    Confirm,
    LoggedIn,
    LogIn,
    LogInByCard,
    Session,
    SessionKind,
)
from schemas.municipalities import Registered
from schemas.mykey_ids import MailAddressChanged, PasswordChanged
from schemas.problems import RefusalCode
from workers.registry import login_statements as sql
from workers.registry import proofs, purposes
from workers.registry.accounts import Account, Accounts, Attempt
from workers.registry.citizens import held
from workers.registry.proofs import Proof
from workers.registry.sessions import ID_BYTES, Beginning, Sessions, is_confirmed
from workers.registry.tries import Counter


class _Asking(NamedTuple):
    """Somebody who says who they are: the account, the session it is said in, and a password where one was given."""

    account: Account
    session: Session | None
    attempt: Attempt | None = None
    counters: list[Counter] | None = None


class Logins:
    """All that begins with who somebody is."""

    def __init__(self, keys: Keys, database: Database, accounts: Accounts, sessions: Sessions) -> None:
        self._database = database
        self._accounts = accounts
        self._sessions = sessions
        self._sealer = keys.sealer("registry.citizen")

    # -------------------------------------------------------------------------------------------------- log in

    async def log_in(self, command: LogIn) -> LoggedIn:
        """By MyKey ID and password."""

        async def begin(tx: Transaction) -> _Asking:
            account = await self._accounts.behind(command.mykey_id, tx)
            attempt = Attempt(account, command.password, command.source, command.device)
            return _Asking(account, None, attempt, await self._accounts.counters(attempt, tx))

        asking = await committed(self._database, begin)
        account = await self._check(asking)
        if not isinstance(account, Account):
            return LoggedIn(code=account)
        return await committed(self._database, lambda tx: self._begin(command, account, tx))

    async def _begin(self, command: LogIn, account: Account, tx: Transaction) -> LoggedIn:
        citizen_id = account.citizen_id
        if citizen_id is None or not await self._accounts.is_still(account, tx):
            return LoggedIn(code=RefusalCode.log_in_failed)
        begun = await self._sessions.begin(
            Beginning(SessionKind.citizen, citizen_id, "password", command.terminal_id), tx
        )
        if begun is None:
            return LoggedIn(code=RefusalCode.log_in_failed)
        device = await self._device(command, citizen_id, tx)
        return LoggedIn(session=begun.session, citizen_id=citizen_id, ends_at=begun.ends_at, device=device)

    async def _device(self, command: LogIn, citizen_id: UUID, tx: Transaction) -> str | None:
        """A new name for this browser, where it is to be remembered and is not known by one."""
        known = command.device
        if known is not None and await self._accounts.knows(citizen_id, known, tx):
            await self._accounts.remember(citizen_id, known, tx)
            return None
        if not command.remember:
            return None
        device = secrets.token_urlsafe(ID_BYTES)
        await self._accounts.remember(citizen_id, device, tx)
        return device

    async def log_in_by_card(self, messages: Sequence[LogInByCard], tx: Transaction) -> list[LoggedIn]:
        """By a proven card; the session is the card's, and ends with its removal."""
        return [await self._log_in_by_card(message, tx) for message in messages]

    async def _log_in_by_card(self, message: LogInByCard, tx: Transaction) -> LoggedIn:
        proof = await _proof_of_log_in(message, tx)
        if isinstance(proof, RefusalCode):
            return LoggedIn(code=proof)
        if proof.citizen_id is None or not await held([proof.citizen_id], tx):
            return LoggedIn(code=RefusalCode.card_without_mykey_id)
        kind = SessionKind.counter if message.kind is SessionKind.counter else SessionKind.citizen
        begun = await self._sessions.begin(
            Beginning(kind, proof.citizen_id, proof.how, proof.terminal_id, proof.insertion), tx
        )
        if begun is None:
            return LoggedIn(code=RefusalCode.card_not_proven)
        await proofs.use(proof, message.login_id, tx)
        return LoggedIn(session=begun.session, citizen_id=proof.citizen_id, ends_at=begun.ends_at)

    # --------------------------------------------------------------------------------------------- asked again

    async def confirm(self, command: Confirm) -> LoggedIn:
        """The session, under a new id, of somebody who was asked again."""
        asking = await committed(self._database, lambda tx: self._who_confirms(command, tx))
        if not isinstance(asking, _Asking):
            return LoggedIn(code=asking)
        account = await self._check(asking)
        if not isinstance(account, Account):
            return LoggedIn(code=account)
        return await committed(self._database, lambda tx: self._confirm(command, account, tx))

    async def _who_confirms(self, command: Confirm, tx: Transaction) -> _Asking | RefusalCode:
        session = await self._to_confirm(command, tx)
        asking = await self._asking(session, command.password, command.source, tx)
        return await self._counted(asking, tx) if isinstance(asking, _Asking) else asking

    async def _to_confirm(self, command: Confirm, tx: Transaction) -> Session | None:
        session = await self._sessions.alive(command.session, tx.now, tx)
        return session or await self._sessions.succeeded(command.session, command.key(), tx)

    async def _confirm(self, command: Confirm, account: Account, tx: Transaction) -> LoggedIn:
        session = await self._to_confirm(command, tx)
        if session is None or session.subject_id != account.citizen_id:
            return LoggedIn(code=RefusalCode.no_session)
        if command.password is None:
            code = await self._use_proof(command.proof_id, session.subject_id, command.key(), tx)
            if code is not None:
                return LoggedIn(code=code)
        fresh = self._sessions.successor(command.session, command.key())
        await self._sessions.rotate(command.session, fresh, tx)
        return LoggedIn(session=fresh, citizen_id=session.subject_id, ends_at=session.ends_at)

    # ------------------------------------------------------------------------------------------------- changes

    async def change_password(self, command: ChangePassword) -> LoggedIn:
        """The new password, once the old one or a card has said who it is; every session ends."""
        asking = await committed(self._database, lambda tx: self._who_changes(command, tx))
        if not isinstance(asking, _Asking):
            done = await committed(self._database, lambda tx: self._changed_before(command, tx))
            return done or LoggedIn(code=asking)
        code = passwords.refusal(command.new_password, [asking.account.mykey_id])
        account = code or await self._check(await committed(self._database, lambda tx: self._counted(asking, tx)))
        if not isinstance(account, Account):
            return LoggedIn(code=account)
        kept = await passwords.hashed(command.new_password)
        return await committed(self._database, lambda tx: self._change_once(command, account, kept, tx))

    async def _who_changes(self, command: ChangePassword, tx: Transaction) -> _Asking | RefusalCode:
        if command.session is not None:
            session = await self._sessions.alive(command.session, tx.now, tx)
            return await self._asking(session, command.old_password, command.source, tx)
        proof = await proofs.check(command.proof_id, (purposes.CONFIRM,), command.change_id, tx)
        if isinstance(proof, RefusalCode):
            return proof
        account = None if proof.citizen_id is None else await self._accounts.of(proof.citizen_id, tx)
        return RefusalCode.card_without_mykey_id if account is None else _Asking(account, None)

    async def _changed_before(self, command: ChangePassword, tx: Transaction) -> LoggedIn | None:
        """What this very change was answered, where it was done already and the answer was lost."""
        if command.session is not None:
            session = await self._sessions.succeeded(command.session, command.change_id, tx)
            if session is None:
                return None
            successor = self._sessions.successor(command.session, command.change_id)
            return LoggedIn(session=successor, citizen_id=session.subject_id, ends_at=session.ends_at)
        proof = await proofs.check(command.proof_id, (purposes.CONFIRM,), command.change_id, tx)
        return LoggedIn(citizen_id=proof.citizen_id) if isinstance(proof, Proof) and proof.is_used else None

    async def _change_once(self, command: ChangePassword, account: Account, kept: str, tx: Transaction) -> LoggedIn:
        """Under the account's lock: of two who make the same change one sees what the other has done."""
        is_still = await self._accounts.is_still(account, tx)
        done = await self._changed_before(command, tx)
        if done is not None:
            return done
        if account.citizen_id is None or not is_still:
            return LoggedIn(code=RefusalCode.log_in_failed)
        return await self._change_password(command, account.citizen_id, kept, tx)

    async def _change_password(self, command: ChangePassword, citizen_id: UUID, kept: str, tx: Transaction) -> LoggedIn:
        session = None
        if command.session is not None:
            session = await self._sessions.alive(command.session, tx.now, tx)
            if session is None:
                return LoggedIn(code=RefusalCode.no_session)
        if session is None or command.old_password is None:
            code = await self._use_proof(command.proof_id, citizen_id, command.change_id, tx)
            if code is not None:
                return LoggedIn(code=code)
        await self._accounts.set_password(citizen_id, kept, tx)
        await self._sessions.end_of(citizen_id, tx)
        await tx.execute(sql.FORGET_DEVICES, [citizen_id])
        tx.emit(PasswordChanged(citizen_id=citizen_id))
        if session is None or command.session is None:
            return LoggedIn(citizen_id=citizen_id)
        again = Beginning(session.kind, citizen_id, session.how, session.terminal_id, session.insertion, confirmed=True)
        begun = await self._sessions.begin(again, tx, self._sessions.successor(command.session, command.change_id))
        if begun is None:
            return LoggedIn(citizen_id=citizen_id)
        return LoggedIn(session=begun.session, citizen_id=citizen_id, ends_at=begun.ends_at)

    async def change_mail_addresses(self, messages: Sequence[ChangeMailAddress], tx: Transaction) -> list[Registered]:
        """Another mail address, of somebody who was asked again."""
        return [await self._change_mail_address(message, tx, about) for about, message in enumerate(messages)]

    async def _change_mail_address(self, message: ChangeMailAddress, tx: Transaction, about: int) -> Registered:
        session = await self._sessions.alive(message.session, tx.now, tx)
        if session is None or session.kind is not SessionKind.citizen:
            return Registered(code=RefusalCode.no_session)
        if not is_confirmed(session, tx.now):
            return Registered(code=RefusalCode.confirm_again)
        citizen_id = session.subject_id
        sealed = await tx.fetch_value(sql.MAIL_OF, citizen_id)
        if sealed is None:
            return Registered(code=RefusalCode.unknown_citizen)
        mail_at = place("registry.citizen", "mail", citizen_id)
        old_mail = self._sealer.open(sealed, mail_at).decode()
        revision = await tx.fetch_value(sql.SET_MAIL, citizen_id, self._sealer.seal(message.mail.encode(), mail_at))
        changed = MailAddressChanged(citizen_id=citizen_id, old_mail=old_mail, mail=message.mail, revision=revision)
        tx.emit(changed, about)
        return Registered(id=citizen_id)

    # ------------------------------------------------------------------------------------------------- in common

    async def _asking(
        self, session: Session | None, password: str | None, source: str, tx: Transaction
    ) -> _Asking | RefusalCode:
        """Whose session it is."""
        if session is None or session.kind is not SessionKind.citizen:
            return RefusalCode.no_session
        account = await self._accounts.of(session.subject_id, tx)
        if account is None:
            return RefusalCode.no_session
        attempt = None if password is None else Attempt(account, password, source, has_session=True)
        return _Asking(account, session, attempt)

    async def _counted(self, asking: _Asking, tx: Transaction) -> _Asking:
        """A password that was given counts as a try from here on: it is about to be looked at."""
        if asking.attempt is None:
            return asking
        return asking._replace(counters=await self._accounts.counters(asking.attempt, tx))

    async def _check(self, asking: _Asking) -> Account | RefusalCode:
        """The account, its password checked where one was given."""
        if asking.attempt is None:
            return asking.account
        return await self._accounts.check(asking.attempt, asking.counters)

    @staticmethod
    async def _use_proof(
        proof_id: UUID | None, citizen_id: UUID, used_for: UUID, tx: Transaction
    ) -> RefusalCode | None:
        proof = await proofs.check(proof_id, (purposes.CONFIRM,), used_for, tx)
        if isinstance(proof, RefusalCode):
            return proof
        if proof.citizen_id != citizen_id:
            return RefusalCode.other_citizen
        await proofs.use(proof, used_for, tx)
        return None


async def _proof_of_log_in(message: LogInByCard, tx: Transaction) -> Proof | RefusalCode:
    """A proof that makes a MyKey ID logs in whoever it has made, and nobody before that."""
    if message.kind is SessionKind.counter:
        return await proofs.check(message.proof_id, {message.purpose}, message.login_id, tx)
    proof = await proofs.check(message.proof_id, {message.purpose} & purposes.LOGS_IN, message.login_id, tx)
    is_early = isinstance(proof, Proof) and message.purpose == purposes.CREATE_MYKEY_ID and not proof.is_used
    return RefusalCode.card_not_proven if is_early else proof
