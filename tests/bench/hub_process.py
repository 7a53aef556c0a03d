"""A hub of P2, P3 and P7: the partners' door, the registry, the ledger and the mail connector, together or apart."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub import logs, loop
from hub.bus import Bus
from hub.clock import SystemClock
from hub.installed import installed
from hub.serving import serving
from hub.settings import Settings
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from tests.bench import world
from tests.bench.children import say, told
from tests.bench.partners import key_id_of, private_key_of
from tests.memory import peak_kib
from tests.running import SECRET_KEY

DOOR: Final = "partner"
COMPONENTS: Final = (DOOR, "registry", "ledger", "mail")
DEADLINE_S: Final = 30.0
REQUESTS_PER_S: Final = 10_000.0
"""Far above what comes: the limit of a partner's requests is not what is measured."""


@dataclass(frozen=True, slots=True)
class Job:
    """Run these components, the door's on this port. `sizes` are the connections by component; `further` settings."""

    database_url: str
    port: int
    sizes: dict[str, int]
    components: Sequence[str] = COMPONENTS
    further: dict[str, str] = field(default_factory=dict)

    @property
    def has_door(self) -> bool:
        """Whether partners are served here."""
        return DOOR in self.components


async def serve(job: Job) -> None:
    """Serve until told to end; say the processor time it took since it was ready, and the most memory it has held."""
    settings = Settings.model_validate(
        {
            "database_url": job.database_url,
            "secret_key": SECRET_KEY,
            "http_port": job.port,
            "pool_sizes": job.sizes,
            "partner_requests_per_s": REQUESTS_PER_S,
            "log_level": "error",
            **job.further,
        }
    )
    logs.configure(settings.log_level)
    components = installed(job.components)
    async with serving(settings, SystemClock(), components, job.database_url, public=job.has_door) as served:
        if job.has_door:
            await _register(served.process.bus)
        say(served.url)
        cpu_s = time.process_time()
        await told()
        cpu_s = time.process_time() - cpu_s
        peak = peak_kib()
    say({"cpu_s": cpu_s, "peak_kib": peak})


async def _register(bus: Bus) -> None:
    """The partners and their keys; the same again changes nothing."""
    for number, party_id in enumerate(world.PARTNER_IDS):
        await bus.call(RegisterParty(party_id=party_id, kind=PartyKind.partner, name=f"Partner {number}"), DEADLINE_S)
        await bus.call(_key(number, party_id), DEADLINE_S)


def _key(number: int, party_id: UUID) -> RegisterPartyKey:
    public: Ed25519PrivateKey = private_key_of(number)
    raw = public.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return RegisterPartyKey(party_id=party_id, key_id=key_id_of(number), algorithm=KeyAlgorithm.ed25519, key_bytes=raw)


if __name__ == "__main__":
    loop.run(serve(Job(**json.loads(sys.argv[1]))))
