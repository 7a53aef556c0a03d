"""What flows, put together: what waits in the store, what every process did lately, who works, who is paused."""

from datetime import UTC, datetime

from connectors.operations import statements
from connectors.operations.shapes import Complaint, ComponentFlow, Flow, Pause, ReceiverFlow
from hub import flow, store
from hub.database import Database
from hub.installed import names
from hub.transports.lanes import LEASE_S


async def flow_of(database: Database) -> Flow:
    """All components, also those that have nothing to do."""
    waiting = {one.receiver: one for one in await store.counts(database)}
    flowing = await flow.read(database)
    async with database.reading() as reading:
        processes = {r["component"]: r["processes"] for r in await reading.fetch(statements.PROCESSES, LEASE_S)}
        pauses = {r["component"]: Pause.model_validate(dict(r)) for r in await reading.fetch(statements.PAUSES)}
        complaints = [Complaint.model_validate(dict(r)) for r in await reading.fetch(statements.COMPLAINTS, LEASE_S)]
    receivers = [_receiver(name, waiting.get(name), flowing.get(name)) for name in sorted({*waiting, *flowing})]
    found = {*names(), *processes, *pauses, *(one.receiver.partition(".")[0] for one in receivers)}
    return Flow(
        at=datetime.now(UTC),
        complaints=complaints,
        components=[
            ComponentFlow(
                component=name,
                processes=processes.get(name, 0),
                paused=pauses.get(name),
                receivers=[one for one in receivers if one.receiver.partition(".")[0] == name],
            )
            for name in sorted(found)
        ],
    )


def _receiver(name: str, waiting: store.ReceiverCounts | None, flowing: flow.Flowing | None) -> ReceiverFlow:
    counted = {} if waiting is None else waiting.model_dump(exclude={"receiver"})
    return ReceiverFlow(receiver=name, **counted, **({} if flowing is None else flowing._asdict()))
