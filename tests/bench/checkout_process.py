"""A hub of the checkout's row: the shops' door, registry, ledger and goods in one process, and a shop's offer."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Final

from hub import logs, loop
from hub.clock import SystemClock
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from schemas.offers import ApplyForParty, DealMode, DecideOffer, Offer, PostOffer
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from tests.bench import world
from tests.bench.children import say, told
from tests.bench.partners import private_key_of
from tests.running import SECRET_KEY

COMPONENTS: Final = ("checkout", "registry", "ledger", "goods")
DEADLINE_S: Final = 60.0
REQUESTS_PER_S: Final = 10_000.0
AT_ONCE: Final = 1_000
"""Both far above what comes: the limits of a shop's requests are not what is measured."""
KEY_ID: Final = "bench-shop"
KEY_NUMBER: Final = 100
"""Of its private key, beside those of the partners."""
OFFER: Final = "apples"


@dataclass(frozen=True, slots=True)
class Job:
    """Serve this database on this port; `sizes` are the connections by component."""

    database_url: str
    port: int
    sizes: dict[str, int]


async def serve(job: Job) -> None:
    """Serve until told to end; say the processor time it took since it was ready."""
    settings = Settings.model_validate(
        {
            "database_url": job.database_url,
            "secret_key": SECRET_KEY,
            "http_port": job.port,
            "pool_sizes": job.sizes,
            "partner_requests_per_s": REQUESTS_PER_S,
            "partner_requests_at_once": AT_ONCE,
            "log_level": "error",
        }
    )
    logs.configure(settings.log_level)
    async with serving(settings, SystemClock(), installed(COMPONENTS), job.database_url) as served:
        await _settle(served.process)
        say(served.url)
        cpu_s = time.process_time()
        await told()
        cpu_s = time.process_time() - cpu_s
    say({"cpu_s": cpu_s})


async def _settle(process: HubProcess) -> None:
    """The shop, its key, and one offer that all municipalities have approved; the same again changes nothing."""
    call, shop = process.bus.call, world.SHOP
    await call(RegisterParty(party_id=shop, kind=PartyKind.shop, name="Shop"), DEADLINE_S)
    public = private_key_of(KEY_NUMBER).public_key().public_bytes_raw()
    key = RegisterPartyKey(party_id=shop, key_id=KEY_ID, algorithm=KeyAlgorithm.ed25519, key_bytes=public)
    await call(key, DEADLINE_S)
    await process.drained(DEADLINE_S)
    applications = [
        ApplyForParty(lg_code=code, party_id=shop, mode=DealMode.direct, mail="office@city.example")
        for code in world.LG_CODES
    ]
    await process.bus.call_many(applications, DEADLINE_S)
    offer = Offer(offer_id=OFFER, title="Apples", merchant="Farm", page_url="https://shop.example/apples")
    posted = await call(PostOffer(party_id=shop, offer=offer, lg_codes=tuple(world.LG_CODES), revision=1), DEADLINE_S)
    decisions = [
        DecideOffer(lg_code=code, party_id=shop, offer_id=OFFER, revision=1, approve=True, staff_id=world.TERMINALS)
        for code in world.LG_CODES
    ]
    refused = [one.code for one in await process.bus.call_many(decisions, DEADLINE_S) if one.code is not None]
    assert (posted.code, refused) == (None, [])


if __name__ == "__main__":
    loop.run(serve(Job(**json.loads(sys.argv[1]))))
