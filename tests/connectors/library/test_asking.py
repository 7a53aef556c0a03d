"""The whole way: the counter asks, the registry keeps, and where the library was down it is asked once it is up."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from demo.ports import free_port
from hub.database import Row
from hub.process import HubProcess
from schemas.libraries import LibrarySite, NotAsked, PatronKnown, PatronWord, RegisterLibrarySite
from schemas.municipalities import RegisterScheme
from schemas.service_ids import (
    Issuer,
    IssuerKind,
    LibraryWord,
    RegisterIssuer,
    RegisterServiceId,
    ServiceIdOf,
    ServiceIdState,
)
from tests.connectors.library.systems import (
    ISSUER,
    KNOWN,
    LOGIN,
    ONLINE,
    PASSWORD,
    PATRONS,
    UNKNOWN,
    answering,
    simulator,
    site,
    system,
)
from tests.connectors.library.test_conversation import silent_once_open
from tests.running import running
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, dump_of, rows_of
from tests.workers.registry.conftest import BASE, citizen

OTHER_ISSUER: Final = "130002"
STATES: Final = "SELECT state, count(*) AS number FROM registry.service_id GROUP BY state"
HELD: Final = """
SELECT coalesce(sum(cardinality(message_ids)), 0)::int AS held, max(attempts) AS attempts FROM hub.delivery
WHERE receiver = 'library.outside' AND state = 'held'
"""
PARKED: Final = "SELECT reason FROM hub.delivery WHERE receiver = 'library.outside' AND state = 'parked'"
# A lane that changes hands meanwhile may ask twice: what is said twice changes nothing.
CONFIRMED: Final = "SELECT count(DISTINCT subject) FROM hub.message WHERE type = 'jp.mykey.service-ids.confirmed.v1'"
OUTAGES: Final = "SELECT destination, error, ended_at FROM hub.outage ORDER BY destination"


@pytest.fixture(autouse=True)
def is_probed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here has five seconds."""
    monkeypatch.setattr("connectors.library.lines.DOWN_S", 0.5)


@asynccontextmanager
async def town(database_url: str, **settings: Any) -> AsyncIterator[HubProcess]:  # noqa: ANN401 - settings
    """Two processes with registry and library each, a few citizens, and two libraries that can be asked."""
    async with AsyncExitStack() as stack:
        first, _ = [
            await stack.enter_async_context(running(database_url, "registry", "library", **settings)) for _ in range(2)
        ]
        await ask(first, RegisterScheme(lg_code=BASE, point_name="ポイント", expiry_rule="none"))
        for issuer_id in (ISSUER, OTHER_ISSUER):
            issuer = Issuer(
                issuer_id=issuer_id,
                name="図書館",
                kind=IssuerKind.library,
                lg_code=BASE,
                pattern="[0-9]{12}",
                sip2=True,
            )
            await ask(first, RegisterIssuer(issuer=issuer))
        await first.bus.call_many([citizen(number) for number in range(1, 31)], 10)
        yield first


async def has_site(process: HubProcess, port: int, **changes: Any) -> LibrarySite:  # noqa: ANN401 - settings
    """The library at this port is registered."""
    registered = site(port, **changes)
    assert (await ask(process, RegisterLibrarySite(site=registered))).code is None
    return registered


def known(number: str = KNOWN, issuer_id: str = ISSUER) -> PatronKnown:
    return PatronKnown(issuer_id=issuer_id, number=number)


def register(citizen: int, number: str, issuer_id: str = ISSUER, **changes: Any) -> RegisterServiceId:  # noqa: ANN401
    asked = {"citizen_id": UUID(int=citizen), "issuer_id": issuer_id, "number": number}
    by = {"terminal_id": f"T{BASE}0ABCDE", "operation_id": uuid4()}
    return RegisterServiceId.model_validate({**asked, **by, **changes})


async def one_row(database_url: str, sql: str) -> Row:
    (row,) = await rows_of(database_url, sql)
    return row


async def states(database_url: str) -> dict[str, int]:
    return {row["state"]: row["number"] for row in await rows_of(database_url, STATES)}


async def test_at_the_counter_the_library_says_yes_or_no_or_why_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_asked(reason: NotAsked) -> PatronWord:
        return PatronWord(word=LibraryWord.not_asked, reason=reason)

    async with town(database_url) as process:
        assert await ask(process, known()) == not_asked(NotAsked.no_site)
        with simulator(login=f"{LOGIN}={PASSWORD}") as port:
            await has_site(process, port, login=LOGIN, password=PASSWORD)
            assert (await ask(process, known())).word is LibraryWord.known
            words = await asyncio.gather(*(ask(process, known(number)) for number in [KNOWN, UNKNOWN] * 50))
            assert [word.word for word in words] == [LibraryWord.known, LibraryWord.unknown] * 50
            await has_site(process, port, login=LOGIN, password="wrong")
            assert await ask(process, known()) == not_asked(NotAsked.down)
        async with system(answering(ONLINE, "24" + " " * 35)) as port:
            await has_site(process, port)
            await wait_until(lambda: says(process, NotAsked.not_understood))
        async with system(silent_once_open) as port:
            await has_site(process, port, timeout_s=10.0)
            monkeypatch.setattr("connectors.library.asking.COUNTER_LIMIT_S", 1.0)
            began_s = time.monotonic()
            assert await ask(process, known()) == not_asked(NotAsked.slow)
            assert time.monotonic() - began_s < 3


async def says(process: HubProcess, reason: NotAsked) -> bool:
    return (await ask(process, known())).reason is reason


async def test_a_number_the_library_knows_is_confirmed_at_once(database_url: str) -> None:
    with simulator() as port:
        async with town(database_url) as process:
            await has_site(process, port)
            word = (await ask(process, known())).word
            answer = await ask(process, register(1, KNOWN, library=word))
            assert (answer.code, answer.state) == (None, ServiceIdState.confirmed)
            word = (await ask(process, known(UNKNOWN))).word
            assert (await ask(process, register(2, UNKNOWN, library=word))).code == "number_unknown"
            await process.drained(10)
    assert await rows_of(database_url, "SELECT FROM hub.delivery WHERE receiver = 'library.outside'") == []


async def test_while_the_library_is_down_links_stand_and_are_confirmed_once_it_is_up_again(database_url: str) -> None:
    port, other_port = free_port(), free_port()
    numbers = [f"1800000000{number:02}" for number in range(20)]
    patrons = dict.fromkeys(numbers[:18], "Patron")
    async with town(database_url, outage_probe_limit_s=1.0) as process:
        with ExitStack() as library, simulator(other_port):
            await has_site(process, port)
            await has_site(process, other_port, issuer_id=OTHER_ISSUER)
            assert (await ask(process, known())).reason is NotAsked.down
            links = [register(number, numbers[number - 1]) for number in range(1, 21)]
            answers = await process.bus.call_many(links, 10)
            assert {answer.state for answer in answers} == {ServiceIdState.unconfirmed}
            await wait_until(lambda: holds(database_url, 20), 15)
            assert (await one_row(database_url, HELD))["attempts"] == 0
            await ask(process, register(21, KNOWN, OTHER_ISSUER))
            await wait_until(lambda: are(database_url, {"unconfirmed": 20, "confirmed": 1}), 15)
            library.enter_context(simulator(port, patrons))
            await wait_until(lambda: are(database_url, {"confirmed": 19, "doubted": 2}), 30)
        (outage,) = await rows_of(database_url, OUTAGES)
        assert (outage["destination"], outage["error"]) == (f"library:{ISSUER}", "LibraryDownError")
        assert outage["ended_at"] is not None
        assert (await one_row(database_url, CONFIRMED))["count"] == 19
        found = (await ask(process, ServiceIdOf(citizen_id=UUID(int=1), issuer_id=ISSUER))).service_id
        assert found is not None
        assert found.state is ServiceIdState.confirmed


async def holds(database_url: str, count: int) -> bool:
    return bool((await one_row(database_url, HELD))["held"] == count)


async def are(database_url: str, expected: dict[str, int]) -> bool:
    return await states(database_url) == expected


async def test_a_library_that_lets_us_in_no_more_is_an_outage_that_a_new_login_ends(database_url: str) -> None:
    with simulator(login=f"{LOGIN}={PASSWORD}") as port:
        async with town(database_url, outage_probe_limit_s=1.0) as process:
            await has_site(process, port, login=LOGIN, password="of last year")
            await ask(process, register(1, KNOWN))
            await wait_until(lambda: holds(database_url, 1), 15)
            assert (await one_row(database_url, OUTAGES))["error"] == "LibraryLoginError"
            await has_site(process, port, login=LOGIN, password=PASSWORD)
            await wait_until(lambda: are(database_url, {"confirmed": 1}), 30)


async def test_a_library_that_goes_silent_is_an_outage_too(database_url: str) -> None:
    numbers = {number: f"1800000000{number:02}" for number in range(1, 9)}
    limits = {"outage_no_answer_limit": 2, "outage_probe_limit_s": 1.0}
    async with system(silent_once_open) as port, town(database_url, **limits) as process:
        await has_site(process, port, timeout_s=0.2)
        await process.bus.call_many([register(*one) for one in numbers.items()], 10)
        await wait_until(lambda: rows_of(database_url, OUTAGES), 15)
        with simulator(patrons=dict.fromkeys(numbers.values(), "Patron")) as good:
            await has_site(process, good)
            await wait_until(lambda: are(database_url, {"confirmed": 8}), 40)


async def test_without_a_site_the_question_is_parked_with_its_reason(database_url: str) -> None:
    async with town(database_url) as process:
        await ask(process, register(1, KNOWN))
        await wait_until(lambda: rows_of(database_url, PARKED), 15)
    row = await one_row(database_url, PARKED)
    assert "NoSiteError" in row["reason"]
    assert KNOWN not in row["reason"]


async def test_credentials_and_what_libraries_tell_are_nowhere_in_the_clear(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with simulator(login=f"{LOGIN}={PASSWORD}") as port:
        async with town(database_url) as process:
            await has_site(process, port, login=LOGIN, password=PASSWORD, terminal_password="tp-20260401")
            await ask(process, register(1, KNOWN))
            await ask(process, register(2, UNKNOWN))
            await wait_until(lambda: are(database_url, {"confirmed": 1, "doubted": 1}), 15)
            await has_site(process, port, login=LOGIN, password="wrong-20260401")
            assert (await ask(process, known())).reason is NotAsked.down
    told = b"".join([await dump_of(database_url, schema) for schema in ("registry", "library", "hub")])
    out, err = capfd.readouterr()
    told += out.encode() + err.encode()
    assert ISSUER.encode() in told
    for secret in (PASSWORD, "wrong-20260401", "tp-20260401", KNOWN, UNKNOWN, PATRONS[KNOWN]):
        assert secret.encode() not in told
