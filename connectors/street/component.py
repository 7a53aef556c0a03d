"""The street connector, put together. Its entry point is `street`."""

from typing import Final

from connectors.street.card_asking import CardAsking
from connectors.street.delivering import Delivering, destination_of
from connectors.street.door import StreetDoor, street_keys, street_nonces
from connectors.street.merge_store import MergeStore
from connectors.street.merging import Merging
from connectors.street.streets import StreetBook
from hub.component import Component, Context, Job
from hub.keys import Keys
from schemas.card_jobs import MergeFilesAnswered
from schemas.merges import MergeAcknowledged, MergeOverdue, MergeReturned, MergeSent
from schemas.streets import (
    AnswerMerge,
    DeliverMerge,
    EndMergeKey,
    EndStreetSigner,
    GiveMergeBack,
    MergesOf,
    ReadStreetCard,
    RedeliverMerge,
    RegisterMergeKey,
    RegisterStreet,
    RegisterStreetSigner,
    StartMerge,
    StreetOf,
    StreetsOf,
)

DELIVERIES_AT_ONCE: Final = 32
ASK_AGAIN_EVERY_S: Final = 10.0
LATE_EVERY_S: Final = 1.0
NONCES_EVERY_S: Final = 60.0


def component(context: Context) -> Component:
    """Build it from the hub's settings; connects to nothing yet."""
    keys = Keys(context.settings.key())
    streets = StreetBook(context.database, keys, context.clock)
    store = MergeStore(context.database, keys.sealer("street.merge"))
    delivering = Delivering(store, context.bus)
    merging = Merging(streets, store, delivering, context.bus)
    nonces = street_nonces(context.database)
    cards = CardAsking(streets, context.bus)
    door = StreetDoor(street_keys(streets, context.clock), nonces, cards, context.bus, context)
    return Component(
        "street",
        handlers={
            RegisterStreet: streets.register,
            RegisterMergeKey: streets.register_key,
            EndMergeKey: streets.end_key,
            RegisterStreetSigner: streets.register_signer,
            EndStreetSigner: streets.end_signer,
            AnswerMerge: merging.answered,
            RedeliverMerge: merging.redeliver,
            GiveMergeBack: merging.give_back,
            MergeFilesAnswered: merging.files_answered,
            MergeSent: store.sent,
            MergeAcknowledged: store.acknowledged,
            MergeReturned: store.returned,
            MergeOverdue: store.overdue,
        },
        answers={StreetOf: streets.street_of, StreetsOf: streets.streets_of, MergesOf: store.merges_of},
        apart={StartMerge: merging.start, ReadStreetCard: cards.at_terminal},
        outside={DeliverMerge: delivering.later},
        outside_limit=DELIVERIES_AT_ONCE,
        destination_of=destination_of,
        routes=door.routes(),
        jobs=[
            Job("ask_again", ASK_AGAIN_EVERY_S, merging.ask_again),
            Job("deliver_late", LATE_EVERY_S, store.deliver_late),
            Job("forget_nonces", NONCES_EVERY_S, nonces.forget),
        ],
        close=delivering.close,
    )
