"""`mykey-hub service-ids`: a card number that was linked to the wrong person is found and ended."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.operations import service_ids
from hub.asking import RefusedError, carry_out
from hub.clock import SystemClock
from hub.process import HubProcess
from hub.settings import Settings
from schemas.municipalities import RegisterScheme
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId, ServiceIdsOf
from tests.running import SECRET_KEY, running
from tests.workers.registry.asking import ask, rows_of
from tests.workers.registry.conftest import BASE, OTHER_BASE, citizen

LIBRARY: Final = Issuer(issuer_id="000123", name="図書館", kind=IssuerKind.library, lg_code=BASE, pattern="[0-9]{8}")
TERMINAL: Final = f"T{BASE}0ABCDE"
RIGHT, WRONG = UUID(int=1), UUID(int=2)
ENDED: Final = """
SELECT citizen_id, ending, ended_terminal_id, ended_operation_id FROM registry.service_id WHERE ended_at IS NOT NULL
"""


@pytest.fixture
async def registry(database_url: str) -> AsyncIterator[HubProcess]:
    async with running(database_url, "registry") as process:
        await ask(process, RegisterScheme(lg_code=BASE, point_name="ポイント", expiry_rule="none"))
        await ask(process, RegisterIssuer(issuer=LIBRARY))
        for number in (1, 2):
            await ask(process, citizen(number))
            await ask(process, linking(UUID(int=number), f"1234567{number}"))
        yield process


def linking(citizen_id: UUID, number: str) -> RegisterServiceId:
    return RegisterServiceId(
        citizen_id=citizen_id,
        issuer_id=LIBRARY.issuer_id,
        number=number,
        terminal_id=TERMINAL,
        operation_id=uuid4(),
    )


async def service_id(database_url: str, *words: str) -> str:
    """What `mykey-hub service-ids …` shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    await carry_out(service_ids._parser().parse_args(words), settings, console, service_ids.ASKER)
    return console.export_text()


@pytest.mark.usefixtures("registry")
async def test_two_citizens_linked_one_after_the_other_are_shown_by_their_ids(database_url: str) -> None:
    today = SystemClock().business_date()
    days = [(today + timedelta(days=days)).isoformat() for days in (-1, 1)]
    for shown in (
        await service_id(database_url, "linked-close", *days),
        await service_id(database_url, "linked-close", *days, "--lg-code", BASE),
    ):
        told = [TERMINAL, str(RIGHT), str(WRONG), LIBRARY.issuer_id]
        assert [word for word in told if word not in shown] == []
        assert "1234567" not in shown
    assert TERMINAL not in await service_id(database_url, "linked-close", *days, "--lg-code", OTHER_BASE)
    with pytest.raises(RefusedError, match="lg_code"):
        await service_id(database_url, "linked-close", *days, "--lg-code", "23")


async def test_a_number_is_ended_at_no_terminal_and_free_again(registry: HubProcess, database_url: str) -> None:
    operation_id = str(uuid4())
    wrong = (str(WRONG), LIBRARY.issuer_id, "--reason", "別の人の番号")
    for _ in range(2):
        await service_id(database_url, "remove", *wrong, "--id", operation_id)
    (row,) = await rows_of(database_url, ENDED)
    assert tuple(row) == (WRONG, "removed", None, UUID(operation_id))
    with pytest.raises(RefusedError, match="no number of this issuer"):
        await service_id(database_url, "remove", *wrong)
    assert (await ask(registry, ServiceIdsOf(citizen_id=WRONG))).service_ids == []
    replaced = linking(RIGHT, "12345672").model_copy(update={"replaces": True})
    assert (await ask(registry, replaced)).code is None
