"""The partners' door as a component: its routes, the file worker, its jobs."""

from connectors.partner.audience import PartnerNonces, partner_audience
from connectors.partner.files import FileDoor
from connectors.partner.intake import FileIntake
from connectors.partner.jobs import Cleaning, jobs
from connectors.partner.pipeline import Pipeline
from connectors.partner.reached import Reached
from connectors.partner.settlement import SettlementDoor
from connectors.partner.store import FileStore
from connectors.partner.transfers import TransferDoor
from connectors.partner.work import FileWorker
from hub.component import Component, Context
from hub.web.backlog import Backlog
from hub.web.limits import AtOnce
from schemas.connections import PartnerReached
from schemas.partner_files import WorkTransferFile


def component(context: Context) -> Component:
    """Builds the connector."""
    settings = context.settings
    pipeline = Pipeline(context.bus)
    store = FileStore(context.database)
    nonces = PartnerNonces(context.database)
    audience = partner_audience(context, nonces)
    doors = (
        TransferDoor(
            context.bus,
            pipeline,
            Backlog("partner", settings.door_wait_limit_s, monotonic=context.clock.monotonic),
            AtOnce(settings.partner_rows_at_once),
        ),
        FileDoor(store, FileIntake(store, settings.partner_files_at_once)),
        SettlementDoor(context.bus),
    )
    cleaning = Cleaning(context.database, context.clock, settings.partner_file_days)
    return Component(
        name="partner",
        connection_tests={PartnerReached: Reached(context.bus, context.database)},
        outside={WorkTransferFile: FileWorker(store, pipeline)},
        routes=[route for door in doors for route in door.routes(audience)],
        jobs=jobs(nonces, cleaning),
    )
