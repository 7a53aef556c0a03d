"""A citizen's points become a street's: dropped as a file, taken in by the street's own program, acknowledged."""

import asyncio
import json
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from demo.peers import PeerFailedError, peer
from demo.stage import CALL_DEADLINE_S, POLL_S, Stage
from demo.terminals import street_terminal
from demo.wallets import holders
from demo.world import made_up_id
from schemas.card_jobs import PresenceOf
from schemas.points import BalanceOf
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from schemas.streets import MergeKey, MergesOf, MergeState, RegisterMergeKey, RegisterStreet, StartMerge, Street
from schemas.values import scheme_pool

POINTS: Final = 300
ISSUER: Final = "000003"
CODE: Final = "honmachi"
NAME: Final = "本町商店街"
NUMBER: Final = "520625"
STREET_ID: Final = made_up_id("street", CODE)
SOFTWARE: Final = "street_software"
TIMEOUT_S: Final = 20.0


async def play(stage: Stage) -> None:
    """Three hundred points, counted at the hub and at the street before and after."""
    folder = stage.folder / CODE
    (folder / "drop").mkdir(parents=True)
    async with street_terminal(folder) as terminal:
        citizen_id, lg_code, before = await _somebody(stage)
        await _open(stage, lg_code, folder)
        terminal_id = await terminal.open(stage.process.bus, stage.terminal_url, lg_code, ISSUER)
        await _ready(stage, terminal_id)
        card = RegisterServiceId(
            citizen_id=citizen_id, issuer_id=ISSUER, number=NUMBER, terminal_id=terminal_id, operation_id=uuid4()
        )
        await stage.process.bus.call(card, CALL_DEADLINE_S)
        merge = StartMerge(
            merge_id=uuid4(), issuer_id=ISSUER, citizen_id=citizen_id, pool=scheme_pool(lg_code), points=POINTS,
            terminal_id=terminal_id, lg_code=lg_code,
        )  # fmt: skip
        answer = await stage.process.bus.call(merge, CALL_DEADLINE_S)
        stage.check("merge: its file is at the terminal", (answer.code, answer.undelivered), (None, None))
        stage.check("merge: what is left", answer.left, before - POINTS)
        stage.check("merge: set aside", await _held(stage, citizen_id, lg_code), (before - POINTS, POINTS))
        await _software(folder, "receive")
        stage.check("merge: the street's points", await _software(folder, "points", NUMBER), str(POINTS))
        # Once the ledger has heard of the street's answer.
        await stage.check_soon("merge: acknowledged", lambda: _state(stage, answer.number), MergeState.acknowledged)
    await stage.drained()
    stage.check("merge: the citizen's points", await _held(stage, citizen_id, lg_code), (before - POINTS, 0))
    stage.report["merged"] = POINTS
    stage.say(f"{POINTS} points became the street's own")


async def _somebody(stage: Stage) -> tuple[UUID, str, int]:
    """Who has enough at home, the municipality, and how many points. Raises PeerFailedError where nobody has."""
    for scheme in reversed(stage.world.schemes):
        for citizen_id, points in (await holders(stage, scheme_pool(scheme.lg_code), scheme.lg_code)).items():
            if points >= POINTS:
                return citizen_id, scheme.lg_code, points
    raise PeerFailedError(f"nobody has {POINTS} points to merge")


async def _open(stage: Stage, lg_code: str, folder: Path) -> None:
    """The street, and the key that its program shares with the hub."""
    bus = stage.process.bus
    issuer = Issuer(issuer_id=ISSUER, name=NAME, kind=IssuerKind.street, lg_code=lg_code, pattern="[0-9]{6}")
    await bus.call(RegisterIssuer(issuer=issuer), CALL_DEADLINE_S)
    street = Street(street_id=STREET_ID, issuer_id=ISSUER, code=CODE, name=NAME)
    await bus.call(RegisterStreet(street=street), CALL_DEADLINE_S)
    key = MergeKey(
        key_id="2017-1", valid_from=stage.clock.now() - timedelta(days=1), cipher_key=secrets.token_bytes(16),
        secret=secrets.token_urlsafe(),
    )  # fmt: skip
    registered = await bus.call(RegisterMergeKey(street_id=STREET_ID, merge_key=key), CALL_DEADLINE_S)
    stage.check("the street's key is taken", registered.code, None)
    lines = [
        f'street = "{CODE}"', 'drop_folder = "drop"', "[[keys]]", f'id = "{key.key_id}"',
        f"valid_from = {key.valid_from.isoformat()}", f'key = "{key.cipher_key.hex()}"',
        f"secret = {json.dumps(key.secret)}",
    ]  # fmt: skip
    await asyncio.to_thread((folder / "street.toml").write_text, "\n".join(lines), encoding="utf-8")


async def _ready(stage: Stage, terminal_id: str) -> None:
    asked = PresenceOf(terminal_ids=[terminal_id])
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            found = (await stage.process.bus.call(asked, CALL_DEADLINE_S)).terminals.get(terminal_id)
            if found is not None and found.merge_folder == "ready":
                return
            await asyncio.sleep(POLL_S)


async def _state(stage: Stage, number: str) -> MergeState:
    asked = MergesOf(street_id=STREET_ID, open_only=False, number=number)
    (view,) = (await stage.process.bus.call(asked, CALL_DEADLINE_S)).merges
    return view.state


async def _held(stage: Stage, citizen_id: UUID, lg_code: str) -> tuple[int, int]:
    """Usable, and set aside."""
    pools = (await stage.process.bus.call(BalanceOf(citizen_id=citizen_id), CALL_DEADLINE_S)).pools
    return next(((one.active, one.held) for one in pools if one.pool == scheme_pool(lg_code)), (0, 0))


async def _software(folder: Path, *arguments: str) -> str:
    """What the street's own program says. Raises PeerFailedError, TimeoutError."""
    async with peer(SOFTWARE, "--folder", str(folder), *arguments) as process, asyncio.timeout(TIMEOUT_S):
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise PeerFailedError(f"{SOFTWARE}: {arguments[0]}")
        return said.decode().strip()
