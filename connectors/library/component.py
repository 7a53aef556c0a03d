"""The library connector, put together. Its entry point is `library`."""

from connectors.library.asking import Asking
from connectors.library.lines import Lines, destination_of
from connectors.library.reaching import Reaching
from connectors.library.sites import Sites
from hub.component import Component, Context
from hub.keys import Keys
from schemas.connections import LibraryReached
from schemas.libraries import ConfirmServiceId, LibrarySitesOf, PatronKnown, RegisterLibrarySite


def component(context: Context) -> Component:
    """Build it from the hub's settings; connects to nothing yet."""
    sites = Sites(context.database, Keys(context.settings.key()).sealer("library.site"))
    lines = Lines(context.clock)
    asking = Asking(sites, lines, context.database)
    return Component(
        "library",
        handlers={RegisterLibrarySite: sites.register},
        outside={ConfirmServiceId: asking.later},
        destination_of=lambda command: destination_of(command.issuer_id),
        answers={LibrarySitesOf: sites.all},
        apart={PatronKnown: asking.at_the_counter},
        connection_tests={LibraryReached: Reaching(sites, context.clock)},
        close=lines.close,
    )
