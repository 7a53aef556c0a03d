"""The operators' door as a component: its routes, the audit of commands, the jobs that go on with what was begun."""

from connectors.operations import corrections, redrives
from connectors.operations.acts import record_commands
from connectors.operations.audience import operations_audience
from connectors.operations.correcting import CorrectingDoor
from connectors.operations.doing import DoingDoor
from connectors.operations.operators import HASH_PURPOSE, Operators
from connectors.operations.seeing import SeeingDoor
from connectors.operations.work import OWN_NAME, Work
from hub.component import Component, Context, Job
from hub.keys import Keys
from schemas.acts import RecordAct


def component(context: Context) -> Component:
    """Builds the connector."""
    operators = Operators(Keys(context.settings.key()).hasher(HASH_PURPOSE))
    work = Work(context.database, context.bus, operators)
    audience = operations_audience(context.database, operators, context.clock)
    return Component(
        name=OWN_NAME,
        handlers={RecordAct: record_commands},
        routes=[
            *SeeingDoor(work).routes(audience),
            *DoingDoor(work).routes(audience),
            *CorrectingDoor(work.corrections).routes(audience),
        ],
        jobs=[
            Job("redrives", redrives.GO_ON_EVERY_S, work.redrives.go_on_with_all),
            Job("corrections", corrections.GO_ON_EVERY_S, work.corrections.go_on_with_all),
        ],
    )
