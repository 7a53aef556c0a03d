"""The terminal connector, put together. Its entry point is `terminal`."""

from collections.abc import Sequence
from typing import Final

import structlog

from connectors.terminal.connections import Connections
from connectors.terminal.counter import CounterDoor
from connectors.terminal.counter_acts import CounterActs
from connectors.terminal.counter_merging import CounterMerging
from connectors.terminal.counter_operations import CounterOperations
from connectors.terminal.counter_papers import Drawing
from connectors.terminal.counter_point_door import PointDoor
from connectors.terminal.counter_points import CounterPoints
from connectors.terminal.counter_posting import CounterPosting
from connectors.terminal.counter_routes import CounterRoutes
from connectors.terminal.counter_sessions import CounterSessions, sweep_sessions
from connectors.terminal.counter_settlement import CounterSettlement
from connectors.terminal.counter_store import CounterStore, sweep_operations
from connectors.terminal.counter_vouchers import CounterRedeeming, CounterVouchers
from connectors.terminal.enrolment import EnrolmentDoor
from connectors.terminal.handshake import Handshake
from connectors.terminal.jobs import Jobs
from connectors.terminal.keeping import Keeping
from connectors.terminal.street_asking import StreetAsking
from connectors.terminal.uplink import CONNECTIONS_LIMIT, UplinkDoor
from connectors.terminal.uplink_store import UplinkStore
from hub.component import Component, Context, Job
from hub.database import UNREACHABLE
from hub.ids import uuid7
from hub.keys import Keys
from hub.transaction import Transaction
from schemas.card_jobs import CardRemoved, DropMergeFiles, HandNumberOn, PresenceOf, ReadCard, ReadNumber, ReleaseCard
from schemas.terminals import TerminalSuspended

UPLINK_SIGNER: Final = "terminal.uplink"
SWEEP_EVERY_S: Final = 60.0

log: Final = structlog.get_logger()


def component(context: Context) -> Component:
    """Build it from the hub's settings; connects to nothing yet."""
    keys, origin, clock = Keys(context.settings.key()), context.settings.own_url, context.clock
    signer = keys.signer(UPLINK_SIGNER)
    store = UplinkStore(context.database, keys.sealer("terminal.job"), uuid7())
    connections, jobs = Connections(), Jobs(store, origin)
    keeping = Keeping(store, connections, jobs, clock)
    uplink = UplinkDoor(store, connections, Handshake(context.bus, signer, origin), StreetAsking(context.bus), clock)
    enrolment = EnrolmentDoor(context.bus, clock, signer.verifier.pem)
    counter_store = CounterStore(context.database, keys.sealer("terminal.counter"))
    operations = CounterOperations(counter_store, context.bus)
    sessions = CounterSessions(context.database, context.bus, keys.hasher("terminal.counter"), origin, clock)
    acts, merging = CounterActs(operations, context.bus), CounterMerging(operations, context.bus)
    counter = CounterRoutes(sessions, clock)
    desk = CounterDoor(sessions, operations, acts, merging, context.bus, counter)
    drawing = Drawing(keys.hasher("terminal.voucher"))
    posting = CounterPosting(operations, context.bus)
    vouchers = CounterVouchers(operations, posting, context.bus, drawing)
    using, redeeming = CounterPoints(operations, posting, context.bus), CounterRedeeming(context.bus)
    settled = CounterSettlement(counter, context.bus)
    points = PointDoor(counter, using, vouchers, redeeming)

    async def drop(messages: Sequence[TerminalSuspended], tx: Transaction) -> None:
        terminal_ids = {message.terminal_id for message in messages}
        await store.drop(terminal_ids, tx)
        await counter_store.drop(terminal_ids, tx)

    async def sweep_counter() -> None:
        async with context.database.transaction() as tx:
            await sweep_sessions(tx.now, tx)
            await sweep_operations(tx.now, tx)

    async def close() -> None:
        await operations.close()
        await jobs.close()
        try:
            await store.is_ending()
        except UNREACHABLE as error:
            # Others notice within seconds that this process is not alive.
            log.warning("uplink_unreachable", error=type(error).__qualname__)

    return Component(
        "terminal",
        handlers={TerminalSuspended: drop, CardRemoved: counter_store.card_removed},
        answers={PresenceOf: store.presence_of},
        apart={
            ReadCard: jobs.read_card,
            ReadNumber: jobs.read_number,
            HandNumberOn: jobs.hand_on,
            ReleaseCard: jobs.release,
            DropMergeFiles: jobs.drop_merge_files,
        },
        routes=[*enrolment.routes(), *uplink.routes(), *desk.routes(), *points.routes(), *settled.routes()],
        jobs=[Job("sweep", SWEEP_EVERY_S, store.sweep), Job("sweep_counter", SWEEP_EVERY_S, sweep_counter)],
        loops={"uplink": keeping.run},
        signalled=keeping.signalled,
        calls_at_once=CONNECTIONS_LIMIT,
        stopping=jobs.stop,
        close=close,
    )
