"""The airline posts its month: half by batches, half as a file, through the public API with its own key."""

import json
from collections import Counter

from demo.peers import run_to_end
from demo.stage import CALL_DEADLINE_S, Stage
from schemas.points import HeldByPool, HeldIn
from schemas.values import RESERVE

AIRLINE_TIMEOUT_S = 300.0
BATCH_SIZE = 500


async def play(stage: Stage) -> None:
    """Compare what the airline was told with the plainest reading of its rows, and both with the ledger."""
    report = stage.folder / "airline.json"
    arguments = [
        *("--url", stage.url, "--key-file", str(stage.key.path), "--key-id", stage.key.key_id),
        *("--transfers", str(stage.world.transfers_file), "--batches", str(len(stage.world.transfers) // 2)),
        *("--batch-size", str(BATCH_SIZE), "--file-rest", "--report", str(report)),
        *("--file-url", stage.other_url),
    ]
    await run_to_end("tests.peers.airline", arguments, AIRLINE_TIMEOUT_S)
    told = json.loads(report.read_text(encoding="utf-8"))
    expected = stage.expected
    stage.check("posted", told["posted"], expected.posted)
    stage.check("replayed", told["replayed"], expected.replayed)
    stage.check("refused", dict(told["refused"]), dict(expected.refused))
    stage.check(
        "each row ended exactly once",
        told["posted"] + told["replayed"] + sum(told["refused"].values()),
        len(stage.world.transfers),
    )
    reserve, scheme = await _held(stage)
    stage.check("reserve points by base municipality", reserve, dict(expected.reserve))
    stage.check("municipal points by municipality", scheme, dict(expected.scheme))
    points = sum(reserve.values()) + sum(scheme.values())
    stage.check("points", points, expected.points)
    stage.report |= {
        "posted": told["posted"],
        "points": points,
        "replayed": told["replayed"],
        "refused": dict(sorted(told["refused"].items())),
        "reserve": reserve,
        "scheme": scheme,
    }
    stage.say(f"{told['posted']:,} posted, {points:,} points; {sum(told['refused'].values())} rows refused")


async def _held(stage: Stage) -> tuple[dict[str, int], dict[str, int]]:
    """Reserve points by base municipality, municipal points by municipality, as the ledger holds them."""
    citizens = {str(citizen.citizen_id): citizen for citizen in stage.world.citizens}
    query = HeldIn(pool=RESERVE, citizen_ids=[citizen.citizen_id for citizen in stage.world.citizens])
    held = await stage.process.bus.call(query, CALL_DEADLINE_S)
    reserve: Counter[str] = Counter()
    for citizen_id, points in held.totals.items():
        reserve[citizens[citizen_id].base_lg_code] += points
    by_pool = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    scheme = {pool.removeprefix("scheme:"): points for pool, points in by_pool.items() if pool != RESERVE}
    return dict(sorted(reserve.items())), dict(sorted(scheme.items()))
