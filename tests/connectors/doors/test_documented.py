"""schemathesis on the document: no error of ours, nothing wrong taken, no answer that it does not name (ASVS 2.2.1).

Every operation of partners, shops, funds, streets, counters and terminals, with right and wrong requests of its own
making, signed as they are. `make fuzz` lets it think of more.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.offers import DecideOffer
from tests.connectors.doors.examples import things
from tests.connectors.doors.world import CALLERS, CITY, LINK, PARTIES, POOL, Doors, doors
from tests.fuzzing import FUZZ_S
from tests.workers.registry.asking import ask

ROOT: Final = Path(__file__).parents[3]
EXAMPLES: Final = 100 if FUZZ_S else 8
LIMIT_S: Final = 900 if FUZZ_S else 240
COUNTERS: Final = 20
NOWHERE: Final = "http://127.0.0.1:1/"
"""Where the hub is to send to: nobody is there."""
VALUES: Final = {
    "link_id": LINK,
    "pool": POOL,
    "item_ids": ["brewery"],
    "lg_codes": [CITY],
    "page_url": "https://fund.example/brewery",
    "return_url": "https://fund.example/back",
    "url": NOWHERE,
    "to": "reserve",
    "code": "DOORS-2017-0042",
    "codes": ["DOORS-2017-0042"],
    "first": "2017-10-01",
    "last": "2017-10-31",
}


@pytest.mark.timeout(LIMIT_S)
async def test_fuzz_what_the_document_says_is_what_is_so(database_url: str, tmp_path: Path) -> None:
    async with doors(database_url, partner_requests_per_s=10_000.0) as opened:
        known = tmp_path / "known.json"
        known.write_text(json.dumps(await _known(opened)), encoding="utf-8")
        program = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "schemathesis.cli",
                "--config-file",
                str(Path(__file__).with_name("schemathesis.toml")),
            ),
            *("run", f"{opened.url}/api/openapi.json", "--phases", "coverage,fuzzing", "--continue-on-failure"),
            *("--max-examples", str(EXAMPLES), *(() if FUZZ_S else ("--seed", "1")), "--no-color", "--warnings", "off"),
            cwd=tmp_path,
            env={**os.environ, "MYKEY_DOORS": str(known), "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await program.communicate()
    told = said.decode()
    assert program.returncode == 0, told
    assert f"Tested: {len(opened.routes)}" in told, told


async def _known(opened: Doors) -> dict[str, Any]:
    tokens: list[str] = []
    for _ in range(COUNTERS):
        await opened.open_counters()
        tokens += opened.tokens.values()
    await opened.open_counters()
    made = await things(opened)
    hook = json.dumps({"url": NOWHERE}).encode()
    assert (await opened.ask(CALLERS["partner"][0], "PUT", "/api/partner/webhook", hook)).status == 200
    fund = PARTIES["fund"][0]
    decision = DecideOffer(
        lg_code=CITY, party_id=fund, offer_id=made["offer_id"], revision=1, approve=True, staff_id=fund
    )
    assert (await ask(opened.process, decision)).code is None
    return {
        "url": opened.url,
        "keys": {
            door: (caller, opened.keys[caller].hex()) for door, (caller, _) in CALLERS.items() if caller in opened.keys
        },
        "owner": opened.tokens[CALLERS["counter"][0]],
        "ended": tokens.pop(),
        "tokens": tokens,
        "things": made,
        "values": VALUES,
        "always": {"url": NOWHERE},
    }
