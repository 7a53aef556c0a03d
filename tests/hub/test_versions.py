"""An older version is made newer; a newer one is parked, not lost, and told what to do; neighbours keep flowing."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

import pytest

from hub import contracts, redriving, store
from hub.process import HubProcess
from hub.redriving import Parked
from hub.routes import DELIVERED_TO, ROUTES, Route
from hub.transaction import Transaction
from hub.versions import NewerMessageError, UnreadableMessageError, current_type, read
from schemas.catalog import CATALOG, OLD_VERSIONS
from schemas.message import Event, OldVersion
from schemas.points import PointsCredited
from tests.children import stopped
from tests.hub.parts import Probe, at_work, credited, fake, say
from tests.waiting import wait_until

ROOT: Final = Path(__file__).parents[2]
START_LIMIT_S: Final = 20
AS_WAS: Final = "UPDATE hub.message SET type = $2, body = $3 WHERE id = $1"


class StampGiven(Event):
    """Made up: a stamp on a card, in its third version."""

    TYPE: ClassVar[str] = "jp.mykey.stamps.given.v3"
    citizen_id: UUID
    stamps: int
    shop: str

    def key(self) -> UUID:
        return self.citizen_id


class StampGivenV2(OldVersion):
    """It named no shop."""

    TYPE: ClassVar[str] = "jp.mykey.stamps.given.v2"
    NEWER: ClassVar[type[StampGiven]] = StampGiven
    citizen_id: UUID
    stamps: int

    def newer(self) -> StampGiven:
        return StampGiven(citizen_id=self.citizen_id, stamps=self.stamps, shop="")


class StampGivenV1(OldVersion):
    """It was one stamp at a time."""

    TYPE: ClassVar[str] = "jp.mykey.stamps.given.v1"
    NEWER: ClassVar[type[StampGivenV2]] = StampGivenV2
    citizen_id: UUID

    def newer(self) -> StampGivenV2:
        return StampGivenV2(citizen_id=self.citizen_id, stamps=1)


@pytest.fixture
def stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """This program knows the made-up type, in all of its versions."""
    monkeypatch.setitem(CATALOG, StampGiven.TYPE, StampGiven)
    for old in (StampGivenV1, StampGivenV2):
        monkeypatch.setitem(OLD_VERSIONS, old.TYPE, old)
    routes: Any = ROUTES
    delivered_to: Any = DELIVERED_TO
    monkeypatch.setitem(routes, StampGiven, Route(("mail",)))
    monkeypatch.setitem(delivered_to, StampGiven, ("mail",))


@pytest.mark.usefixtures("stamps")
async def test_old_versions_are_still_read_and_handled_as_the_newest(probe: Probe) -> None:
    heard: list[StampGiven] = []

    async def hear(messages: Sequence[Any], _tx: Transaction) -> None:
        heard.extend(messages)

    citizen_id = uuid4()
    async with at_work(probe.url, fake("partner")) as process:
        ids = await say(process, *(StampGiven(citizen_id=citizen_id, stamps=n, shop="A") for n in (1, 2, 3)))
        bodies: list[dict[str, Any]] = [{"citizen_id": str(citizen_id)}, {"citizen_id": str(citizen_id), "stamps": 2}]
        for one, name, body in zip(ids, (StampGivenV1.TYPE, StampGivenV2.TYPE), bodies, strict=False):
            await probe.connection.execute(AS_WAS, one, name, json.dumps(body).encode())
    async with at_work(probe.url, fake("mail", hear)) as process:
        await process.drained(5)
        way = await store.way_of(process.database_of("mail"), ids[0])

    assert [(one.stamps, one.shop) for one in heard] == [(1, ""), (2, ""), (3, "A")]
    assert way.message.data == bodies[0], "the store shows it as it was said"


@pytest.mark.usefixtures("stamps")
def test_an_old_version_is_in_the_contracts() -> None:
    schema = contracts.message_schema(StampGivenV1)

    assert schema["x-newer"] == StampGiven.TYPE
    assert schema["x-receivers"] == ["mail"]
    document = contracts.asyncapi()
    batch = document["components"]["messages"]["mail.batch"]["payload"]["items"]["oneOf"]
    names = {"StampGivenEvent", "StampGivenV1Event", "StampGivenV2Event"}
    assert {one["$ref"].rpartition("/")[2] for one in batch} >= names
    assert names <= set(document["components"]["schemas"])


@pytest.mark.usefixtures("stamps")
@pytest.mark.parametrize(
    "name,error,words",
    [
        ("jp.mykey.stamps.given.v4", NewerMessageError, "newer than v3.*upgrade the program, then redrive"),
        ("jp.mykey.stamps.given.v40", NewerMessageError, "newer than v3"),
        ("jp.mykey.stamps.given.v0", UnreadableMessageError, "read no longer"),
        ("jp.mykey.cards.given.v1", UnreadableMessageError, "if a later one does, upgrade"),
        ("nonsense", UnreadableMessageError, "knows no 'nonsense'"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(name: str, error: type[UnreadableMessageError], words: str) -> None:
    with pytest.raises(UnreadableMessageError, match=words) as refused:
        read(name, "{}")
    assert type(refused.value) is error


def test_a_field_that_this_program_does_not_know_is_of_a_newer_one() -> None:
    said = json.loads(credited(1).model_dump_json())

    with pytest.raises(NewerMessageError, match=r"fields that this program does not know: upgrade"):
        read(PointsCredited.TYPE, json.dumps(said | {"campaign": "spring"}))
    with pytest.raises(UnreadableMessageError) as refused:
        read(PointsCredited.TYPE, json.dumps(said | {"campaign": "spring", "points": "many"}))
    assert not isinstance(refused.value, NewerMessageError), "a wrong value no upgrade mends"


def test_every_old_version_leads_to_a_later_version_of_the_same_type() -> None:
    for name, old in OLD_VERSIONS.items():
        stem, _, version = name.rpartition(".v")
        newest = current_type(name)
        assert newest is not None
        assert CATALOG[newest.TYPE] is newest
        assert newest.TYPE.rpartition(".v")[0] == stem
        assert int(newest.TYPE.rpartition(".v")[2]) > int(version)
        assert old.newer is not OldVersion.newer


@asynccontextmanager
async def newer_program(probe: Probe, *what: str) -> AsyncIterator["asyncio.subprocess.Process"]:
    """A process of a later release, once it is at work; it is ended at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.hub.newer_program", probe.url, *what,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S) == b"at work\n"
        yield process
    finally:
        await stopped(process)


async def test_a_newer_version_is_parked_until_the_upgrade_and_then_done(probe: Probe) -> None:
    async with at_work(probe.url, fake("mail")) as older, at_work(probe.url, fake("mail")):
        async with newer_program(probe) as newer:
            assert await asyncio.wait_for(newer.wait(), START_LIMIT_S) == 0
        await wait_until(lambda: _has_done(probe, 2))
        await wait_until(lambda: probe.deliveries("parked"))

        assert await probe.numbers() == [1, 3], "neighbours of the same key are done"
        (group,) = await store.parked(older.database_of("mail"))
        assert group.types == ["jp.mykey.points.credited.v2"]
        assert group.reason.startswith("NewerMessageError: jp.mykey.points.credited.v2 is newer than v1")
        assert group.reason.endswith("upgrade the program, then redrive")

    async with newer_program(probe, "hear"), at_work(probe.url, fake("partner")) as operator:
        assert await _redrive(operator, group.fingerprint) == 1
        await wait_until(lambda: _has_done(probe, 3), START_LIMIT_S)

    assert await probe.numbers() == [1, 3, 2]
    assert await probe.deliveries() == []


async def _redrive(process: HubProcess, fingerprint: str) -> int:
    async with process.database_of("partner").transaction() as tx:
        what = Parked(fingerprint=fingerprint)
        extent = await redriving.extent(tx, what)
        return len(await redriving.redrive(tx, what, extent.last))


async def _has_done(probe: Probe, count: int) -> bool:
    return len(await probe.numbers()) >= count
