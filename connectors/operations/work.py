"""Each thing an operator can see or do, for the door and the terminal alike; what is done is written into the audit."""

import os
from typing import Final
from uuid import UUID

from connectors.operations import acts, copies, statements
from connectors.operations.acts import Act, ActKind, Actor, Role
from connectors.operations.corrections import Corrections
from connectors.operations.flowing import flow_of
from connectors.operations.operators import Operator, Operators
from connectors.operations.redrives import Redrives
from connectors.operations.shapes import (
    ConnectionAsked,
    Copied,
    CopyAsked,
    Flow,
    Group,
    GroupDetail,
    Note,
    NoteAsked,
    Noted,
    OperatorAdded,
    OperatorAsked,
    OperatorRevoked,
    Pause,
    ReasonAsked,
    Redrive,
    RedriveAsked,
    RemarkAsked,
    ReplayAsked,
    Replayed,
    Resumed,
)
from hub import outages, redriving, store
from hub.accounts import account_name
from hub.bus import Bus
from hub.database import Database
from hub.errors import HubError, PermanentError
from hub.ids import uuid7
from hub.installed import names
from hub.outages import Outage
from hub.store import Search, StoredMessage, WaitingDelivery, Way
from schemas.connections import (
    ConnectionTest,
    ConnectionTested,
    LibraryReached,
    MailServerReached,
    PartnerReached,
    ShopReached,
)
from schemas.webhooks import ReplayWebhooks, Webhooks, WebhooksOf

OWN_NAME: Final = "operations"
CONNECTION_DEADLINE_S: Final = 20.0
WEBHOOKS_DEADLINE_S: Final = 10.0
NOTES_LIMIT: Final = 1_000
DELIVERIES_SHOWN: Final = 50


class NoSuchComponentError(PermanentError):
    """No component of this name is installed, or it has no connection that could be tested."""


class NotPausableError(PermanentError):
    """This component stays: nobody could resume it."""


class StateConflictError(PermanentError):
    """It is so already: somebody else may have been faster."""


def system_actor() -> Actor:
    """Whoever works on the database itself: may do all, by the operating system's name for them."""
    return Actor(account_name(os.getuid()), Role.supervisor, acts.TERMINAL)


class Work:
    """What can be seen and done on this database; `bus` for what others have to be asked."""

    def __init__(self, database: Database, bus: Bus | None, operators: Operators) -> None:
        self._database = database
        self._bus = bus
        self._operators = operators
        self.redrives = Redrives(database)
        self.corrections = Corrections(database, bus)

    # to be seen

    async def flow(self) -> Flow:
        """What flows."""
        return await flow_of(self._database)

    async def parked(self) -> list[Group]:
        """What is parked, the most frequent failure first, with its notes."""
        groups = await store.parked(self._database)
        async with self._database.reading() as reading:
            rows = await reading.fetch(statements.NOTES, [one.fingerprint for one in groups], NOTES_LIMIT)
        notes = [Note.model_validate(dict(row)) for row in rows]
        return [
            Group(group=one, notes=[note for note in notes if note.fingerprint == one.fingerprint]) for one in groups
        ]

    async def group(self, fingerprint: str) -> GroupDetail:
        """One kind of failure; empty where nothing is parked by it."""
        items = [one for one in await self.parked() if one.group.fingerprint == fingerprint]
        deliveries = await store.waiting(self._database, "parked", fingerprint, limit=DELIVERIES_SHOWN)
        return GroupDetail(items=items, deliveries=deliveries)

    async def deliveries(self, state: str, fingerprint: str | None, after: int, limit: int) -> list[WaitingDelivery]:
        """Deliveries in a state, in their order."""
        return await store.waiting(self._database, state, fingerprint, after, limit)

    async def outages(self, limit: int) -> list[Outage]:
        """Other sides that are down, with how much waits for each; then the latest that were."""
        return await outages.listed(self._database, limit)

    async def messages(self, wanted: Search) -> list[StoredMessage]:
        """The latest messages that fit, latest first; what is personal is masked."""
        return await store.search(self._database, wanted)

    async def way(self, message_id: UUID) -> Way:
        """One message's whole way; what is personal is masked. Raises NoSuchMessageError."""
        return await store.way_of(self._database, message_id)

    async def webhooks(self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool) -> Webhooks:
        """A party's endpoint and what it was told, latest first. Raises why nobody answered."""
        if self._bus is None:
            raise NoSuchComponentError("partner")
        asked = WebhooksOf(party_id=party_id, undelivered=undelivered, before=before, limit=limit)
        return await self._bus.call(asked, WEBHOOKS_DEADLINE_S)

    async def acts(self, before: UUID | None, limit: int) -> list[Act]:
        """The audit, latest first."""
        async with self._database.reading() as reading:
            return await acts.latest(reading, before, limit)

    async def operators(self) -> list[Operator]:
        """All operators there are and were."""
        async with self._database.reading() as reading:
            return await self._operators.all(reading)

    # to be done

    async def reveal(self, actor: Actor, message_id: UUID, asked: ReasonAsked) -> Way:
        """One message's whole way with all bodies, once it is written down who wanted to see them and why."""
        way = await store.way_of(self._database, message_id, self._database.sealer)
        seen = [f"message:{one.id}" for one in way.chain if one.personal]
        async with self._database.transaction() as tx:
            await acts.record(tx, actor, ActKind.reveal, [f"message:{message_id}"], asked.reason, shown=seen)
        return way

    async def redrive(self, actor: Actor, asked: RedriveAsked) -> Redrive:
        """Begin it; where it is not finished at once, `redrives` tells how far it is. Raises NoSuchDeliveryError."""
        return await self.redrives.begin(asked, actor)

    async def replay(self, actor: Actor, asked: ReplayAsked) -> Replayed:
        """Have a party told again, by a command that goes out with the act; what is not the party's is left out."""
        async with self._database.transaction() as tx:
            command = ReplayWebhooks(party_id=asked.party_id, event_id=asked.event_id, until=uuid7())
            message_id = tx.send(command)
            targets = [f"party:{asked.party_id}"] + ([f"webhook:{asked.event_id}"] if asked.event_id else [])
            await acts.record(tx, actor, ActKind.webhook_replay, targets, asked.reason, message_id=message_id)
        return Replayed(message_id=message_id)

    async def note(self, actor: Actor, asked: NoteAsked) -> Noted:
        """Leave a note at a delivery or a kind of failure. Raises NoSuchDeliveryError."""
        async with self._database.transaction() as tx:
            if asked.delivery is not None:
                await redriving.add_note(tx, asked.delivery, asked.note)
                target = f"delivery:{asked.delivery}"
            else:
                await tx.execute(statements.ADD_NOTE, uuid7(), asked.fingerprint, actor.name, asked.note)
                target = f"fingerprint:{asked.fingerprint}"
            await acts.record(tx, actor, ActKind.note, [target], note=asked.note)
        return Noted(note=asked.note)

    async def copy(self, actor: Actor, message_id: UUID, asked: CopyAsked) -> Copied:
        """Deliver an edited copy instead of a parked message, which is closed.

        The audit names the fields that differ, not what is in them. Raises NoSuchMessageError, NotParkedError,
        UnknownTypeError, BadBodyError.
        """
        async with self._database.transaction() as tx:
            row = await tx.fetch_row(store.BY_ID, message_id)
            if row is None:
                raise store.NoSuchMessageError(str(message_id))
            edited = copies.edited(row["type"], asked.data)
            changed = copies.changed(row["type"], row["body"], message_id, tx.sealer, edited)
            replaced = await redriving.replace(tx, message_id, edited)
            copied = Copied(copy_id=replaced.copy_id, original_id=message_id, receivers=replaced.receivers)
            targets = [f"message:{message_id}", f"message:{copied.copy_id}"]
            to = copied.receivers
            await acts.record(tx, actor, ActKind.copy, targets, asked.reason, receivers=to, changed=changed)
        return copied

    async def pause(self, actor: Actor, component: str, asked: ReasonAsked) -> Pause:
        """Pause a component in all processes. Raises NoSuchComponentError, NotPausableError, StateConflictError."""
        if component not in names():
            raise NoSuchComponentError(component)
        if component == OWN_NAME:
            raise NotPausableError(component)
        async with self._database.transaction() as tx:
            row = await tx.fetch_row(statements.PAUSE, component, actor.name, asked.reason)
            if row is None:
                raise StateConflictError(f"{component} is paused already")
            await acts.record(tx, actor, ActKind.pause, [f"component:{component}"], asked.reason)
        return Pause.model_validate(dict(row))

    async def resume(self, actor: Actor, component: str, asked: RemarkAsked) -> Resumed:
        """Let a component go on. Raises StateConflictError."""
        async with self._database.transaction() as tx:
            row = await tx.fetch_row(statements.RESUME, component)
            if row is None:
                raise StateConflictError(f"{component} is not paused")
            await acts.record(
                tx, actor, ActKind.resume, [f"component:{component}"], asked.reason, paused_since=row["since"]
            )
        return Resumed(component=component)

    async def test_connection(self, actor: Actor, component: str, asked: ConnectionAsked) -> ConnectionTested:
        """Have a component try its other side. Raises NoSuchComponentError, or why the component did not answer."""
        test = _connection_test(component, asked)
        targets = [f"component:{component}"] + ([f"party:{asked.party_id}"] if asked.party_id else [])
        targets += [f"issuer:{asked.issuer_id}"] if asked.issuer_id else []
        if self._bus is None:
            raise NoSuchComponentError(component)
        try:
            tested = await self._bus.call(test, CONNECTION_DEADLINE_S)
        except HubError as error:
            async with self._database.transaction() as tx:
                failed = type(error).__name__
                await acts.record(tx, actor, ActKind.connection_test, targets, asked.reason, ok=False, error=failed)
            raise
        async with self._database.transaction() as tx:
            await acts.record(tx, actor, ActKind.connection_test, targets, asked.reason, ok=tested.ok)
        return tested

    async def add_operator(self, actor: Actor, asked: OperatorAsked) -> OperatorAdded:
        """Add an operator; the token is in the answer, and nowhere else.

        Raises NameTakenError, SupervisorElsewhereError.
        """
        async with self._database.transaction() as tx:
            token = await self._operators.add(tx, asked.name, asked.role, actor.operator_id)
            target = f"operator:{asked.name}"
            await acts.record(tx, actor, ActKind.operator_add, [target], asked.reason, role=asked.role.value)
        return OperatorAdded(name=asked.name, role=asked.role, token=token)

    async def revoke_operator(self, actor: Actor, name: str, asked: ReasonAsked) -> OperatorRevoked:
        """The token opens nothing any more. Raises NoSuchOperatorError, SupervisorElsewhereError."""
        async with self._database.transaction() as tx:
            await self._operators.revoke(tx, name, actor.operator_id)
            await acts.record(tx, actor, ActKind.operator_revoke, [f"operator:{name}"], asked.reason)
        return OperatorRevoked(name=name)


def _connection_test(component: str, asked: ConnectionAsked) -> ConnectionTest:
    """The question for this component. Raises NoSuchComponentError."""
    if component == "mail":
        return MailServerReached()
    if component == "partner" and asked.party_id is not None:
        return PartnerReached(party_id=asked.party_id)
    if component == "checkout" and asked.party_id is not None:
        return ShopReached(party_id=asked.party_id)
    if component == "library" and asked.issuer_id is not None:
        return LibraryReached(issuer_id=asked.issuer_id)
    raise NoSuchComponentError(component)
