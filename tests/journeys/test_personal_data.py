"""Two hundred planted markers go through the registry and the mails: no dump of the database and no log shows one."""

import base64
import json
import secrets
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from hub import logs
from hub.clock import AdjustableClock
from hub.postgres_programs import find_programs
from hub.process import HubProcess
from schemas.cards import ChooseAddressNotice
from schemas.logins import ChangeMailAddress, ChangePassword, Confirm
from schemas.mykey_ids import RevokeMyKeyId
from tests.workers.registry.asking import ask
from tests.workers.registry.ca import Authority
from tests.workers.registry.conftest import open_world
from tests.workers.registry.offices import authorities, registry_with
from tests.workers.registry.people import HOME, created, log_in, proof_of

PEOPLE: Final = 20
DUMP_TIMEOUT_S: Final = 60
NOBODY_LISTENS: Final = 9


@pytest.fixture
def _logged() -> None:
    """Everything is logged."""
    logs.configure("debug")


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[HubProcess]:
    """Registry, ledger and mail; the mail server is down, so that mails wait in the database."""
    clock = AdjustableClock(datetime(2017, 10, 2, 3, tzinfo=UTC))
    authorities(tmp_path, 1)
    components = ("ledger", "mail")
    async with registry_with(
        database_url, tmp_path, clock, *components, smtp_port=NOBODY_LISTENS, log_level="debug"
    ) as process:
        await open_world(process)
        yield process


async def lived(hub: HubProcess, number: int) -> list[str]:
    """One citizen's story; all in it that nobody may read."""
    serial, signature_serial = 0x7A << 56 | secrets.randbits(48) << 8 | number, secrets.token_hex(8)
    card, mykey_id = Authority(0).card(serial), f"MARK{number:02d}QX"
    name, mail = f"植田目印{number}", f"marker-{number}@planted.example"
    password, new_password = (f"quince {secrets.token_urlsafe(12)}" for _ in range(2))
    citizen_id = await created(hub, card, mykey_id, name=name, mail=mail, password=password)
    assert (await log_in(hub, mykey_id, "wrong " + password)).code == "log_in_failed"
    first = await log_in(hub, mykey_id, password, remember=True)
    assert first.session is not None
    assert first.device is not None
    confirmed = (await ask(hub, Confirm(session=first.session, source=HOME, password=password))).session
    assert confirmed is not None
    changed_mail = f"moved-{number}@planted.example"
    assert (await ask(hub, ChangeMailAddress(session=confirmed, mail=changed_mail))).code is None
    read = await proof_of(hub, card, "address-notice", signature_serial=signature_serial)
    await ask(hub, ChooseAddressNotice(citizen_id=citizen_id, wanted=True, proof_id=read))
    change = ChangePassword(
        change_id=uuid4(), source=HOME, new_password=new_password, session=confirmed, old_password=password
    )
    last = (await ask(hub, change)).session
    assert last is not None
    if number % 2:
        proof_id = await proof_of(hub, card, "revoke-mykey-id")
        assert (await ask(hub, RevokeMyKeyId(citizen_id=citizen_id, proof_id=proof_id))).code is None
    tokens = [first.session, first.device, confirmed, last]
    numbers = [card.name.serial, str(serial), signature_serial]
    return [mykey_id, name, mail, changed_mail, password, new_password, *tokens, *numbers]


def dump(database_url: str) -> str:
    """The whole database, as a thief of a backup has it."""
    command = [str(find_programs().bin_path / "pg_dump"), "--inserts", "--dbname", database_url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=DUMP_TIMEOUT_S)
    return done.stdout


def forms(marker: str) -> tuple[str, ...]:
    """As it is, as the log escapes it, as the database shows bytes, and in base64."""
    raw = marker.encode()
    return marker, json.dumps(marker).strip('"'), raw.hex(), base64.b64encode(raw).decode()


@pytest.mark.usefixtures("_logged")
async def test_neither_a_dump_nor_a_log_shows_who_anybody_is(
    hub: HubProcess, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    markers = [marker for number in range(PEOPLE) for marker in await lived(hub, number)]
    assert len(set(markers)) == len(markers) >= 200
    dumped, logged = dump(database_url), capfd.readouterr().err
    # The two would show what is there in the open.
    assert "registry.card_proof" in dumped
    assert "mykey-ids.created" in dumped
    assert "ポイント" in dumped
    assert '"event"' in logged
    for marker in markers:
        for form in forms(marker):
            assert form not in dumped
            assert form not in logged
