"""Registries that take cards, and what the simulated provider knows of them."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from hub.clock import Clock
from hub.keys import Keys
from hub.process import HubProcess
from tests.running import SECRET_KEY, running
from tests.workers.registry.ca import Authority
from workers.registry.accounts import Accounts
from workers.registry.citizens import Citizens
from workers.registry.lifetimes import Lifetimes
from workers.registry.sessions import Sessions


def registry_with(
    database_url: str, folder: Path, clock: Clock, *components: str, **settings: object
) -> AbstractAsyncContextManager[HubProcess]:
    """A registry that takes the cards of the authorities whose anchors lie in the folder."""
    names = ("registry", *components)
    return running(database_url, *names, clock=clock, card_anchors=folder, **settings)


def lifetimes_of(process: HubProcess) -> Lifetimes:
    """As any process of this registry has them."""
    keys, database = Keys(SECRET_KEY.encode()), process.database_of("registry")
    return Lifetimes(keys, database, Citizens(keys), Accounts(keys, database), Sessions(keys))


def authorities(folder: Path, count: int = 2) -> list[Authority]:
    """Generations of the certificate authority, known to hubs that look into the folder."""
    made = [Authority(number) for number in range(count)]
    for one in made:
        one.write(folder)
    return made


def tell(register: Path, **known: object) -> None:
    """From now on the provider knows this: `successors`, `revoked`."""
    register.write_text(json.dumps(known), encoding="utf-8")
