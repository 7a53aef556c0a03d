"""The card process: killed, without its service, without pyscard, without its agent; and what it never shows."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL
from statistics import median
from typing import Final

import pytest

from reader_agent.desk import open_desk
from reader_agent.job_runner import RELEASE_TIMEOUT_S
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import Outcome, ReaderState
from tests.peers.card.authority import CardAuthority, Identity
from tests.peers.card.card import JpkiCard, Quirks, SilentError
from tests.peers.card.pcscd import Pcscd
from tests.peers.card.vpcd import VirtualReader
from tests.reader_agent.card.counter import Citizen, Counter, is_signed, listening
from tests.waiting import quick_enough, wait_until

ROOT: Final = Path(__file__).parents[3]
ROUNDS: Final = 10
SLOW_START_LIMIT_S: Final = 30
"""Two Pythons one after another, on a machine with much else to do."""


@pytest.fixture(scope="module")
def taro(card_authority: CardAuthority) -> Identity:
    return card_authority.issue()


@pytest.fixture
def service(pcscd: Pcscd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pcscd]:
    """The shared one, for whatever is started from now on."""
    for name, value in pcscd.environment.items():
        monkeypatch.setenv(name, value)
    yield pcscd
    for reader in pcscd.readers:
        reader.remove()


@asynccontextmanager
async def counter_at(reader: VirtualReader) -> AsyncIterator[Counter]:
    typed = TypedNumbers()
    async with (
        open_desk(typed, reader.name, card_wait_s=3.0, ask_limit_s=3.0) as desk,
        listening(Counter(desk, reader, typed, is_real=True)) as counter,
    ):
        yield counter


def card_processes(parent: int) -> list[Path]:
    """The running card processes that it has started, in /proc."""
    return [each for each in Path("/proc").glob("[0-9]*") if _is_started_by(parent, each)]


def _is_started_by(parent: int, process: Path) -> bool:
    try:
        status, command = (process / "stat").read_text(), (process / "cmdline").read_bytes()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[1] == str(parent) and b"reader_agent.card_process" in command


async def test_a_killed_card_process_is_started_again(service: Pcscd, taro: Identity) -> None:
    async with counter_at(service.readers[0]) as counter:
        insertion = await counter.insert(JpkiCard(taro))
        await counter.prove(Citizen())
        (child,) = card_processes(os.getpid())
        os.kill(int(child.name), SIGKILL)
        # Nothing is known any more of what is in, so what was typed before counts no longer.
        await wait_until(lambda: counter.told[-1] == ReaderState(connected=False) or len(counter.told) > 4)
        assert (await counter.prove(Citizen(), again=insertion)).outcome is Outcome.removed
        assert (await counter.prove(Citizen())).outcome is Outcome.done
        assert card_processes(os.getpid()) != [child]
    assert not card_processes(os.getpid())


@pytest.mark.usefixtures("pcscd")
async def test_cards_are_noticed_within_a_second_and_the_service_goes_and_comes(
    monkeypatch: pytest.MonkeyPatch, taro: Identity
) -> None:
    with Pcscd() as own:
        for name, value in own.environment.items():
            monkeypatch.setenv(name, value)
        async with counter_at(own.readers[0]) as counter:

            async def noticed() -> float:
                began_s = time.monotonic()
                insertion = await counter.insert(JpkiCard(taro))
                put_in_s = time.monotonic()
                assert await counter.remove() == insertion
                return max(put_in_s - began_s, time.monotonic() - put_in_s)

            await quick_enough(1.0, noticed)
            own.stop()
            await wait_until(lambda: counter.told[-1] == ReaderState(connected=False))
            assert (await counter.prove(Citizen())).outcome is Outcome.reader_failed
            own.start()
            await wait_until(lambda: counter.told[-1] == ReaderState(connected=True))
            await counter.insert(JpkiCard(taro))
            assert (await counter.prove(Citizen())).outcome is Outcome.done


async def test_two_counters_each_have_their_reader(service: Pcscd, card_authority: CardAuthority) -> None:
    first, second = service.readers
    identities = [card_authority.issue(), card_authority.issue()]
    async with counter_at(first) as here, counter_at(second) as there:
        await here.insert(JpkiCard(identities[0]))
        await there.insert(JpkiCard(identities[1]))
        results = await asyncio.gather(here.prove(Citizen()), there.prove(Citizen()))
        assert [each.certificate for each in results] == [each.certificate for each in identities]
        await here.remove()
        assert (await there.prove(Citizen(), again=results[1].insertion)).outcome is Outcome.done


async def test_no_pin_is_shown(service: Pcscd, taro: Identity, capfd: pytest.CaptureFixture[str]) -> None:
    card = JpkiCard(taro, quirks=Quirks(on_command=_silent_on_sign))
    async with counter_at(service.readers[0]) as counter:
        await counter.insert(card)
        assert (await counter.prove(Citizen(pin="8527"))).outcome is Outcome.wrong_pin
        (child,) = card_processes(os.getpid())
        shown = (child / "cmdline").read_bytes() + (child / "environ").read_bytes()
        card.accept("8527")
        assert (await counter.prove(Citizen(pin="8527"))).outcome is Outcome.reader_failed
    said = capfd.readouterr()
    assert "card_process_killed" in said.out + said.err
    for text in (shown, said.out.encode(), said.err.encode()):
        assert b"8527" not in text
        assert taro.serial.to_bytes(4).hex().encode() not in text


def _silent_on_sign(apdu: bytes) -> None:
    if apdu[:2] == b"\x80\x2a":
        raise SilentError


AGENT: Final = """
import asyncio, sys
from reader_agent.desk import open_desk
from reader_agent.job_runner import RELEASE_TIMEOUT_S
from reader_agent.typed_numbers import TypedNumbers
from tests.reader_agent.card.counter import Citizen, Counter

async def main():
    async with open_desk(TypedNumbers(), sys.argv[1], 60.0, 60.0) as desk:
        await Counter(desk, None, None, is_real=True).prove(Citizen())

asyncio.run(main())
"""


async def test_a_card_process_in_a_silent_card_ends_with_its_agent(service: Pcscd, taro: Identity) -> None:
    silent = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_command(apdu: bytes) -> None:
        if apdu[:2] == b"\x80\x2a":
            loop.call_soon_threadsafe(silent.set)
            raise SilentError

    reader = service.readers[0]
    reader.insert(JpkiCard(taro, quirks=Quirks(on_command=on_command)))
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, reader.name, cwd=ROOT)
    try:
        async with asyncio.timeout(SLOW_START_LIMIT_S):
            await silent.wait()
        (child,) = card_processes(agent.pid)
    finally:
        agent.kill()
        await agent.wait()
    await wait_until(lambda: not child.exists())


async def test_without_pyscard_there_is_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smartcard").mkdir()
    (tmp_path / "smartcard" / "__init__.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))
    monkeypatch.setattr("reader_agent.desk.START_LIMIT_S", 0.1)
    async with open_desk(TypedNumbers(), card_wait_s=0.1, ask_limit_s=1.0) as desk:
        events = desk.events()
        assert await anext(events) == ReaderState(connected=False)
        result = await Counter(desk, _NoReader(), TypedNumbers(), is_real=True).prove(Citizen())
        assert result.outcome is Outcome.reader_failed


async def test_a_release_waits_for_no_process_that_was_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_agent.card_keeper.sys.executable", "/nowhere")
    monkeypatch.setattr("reader_agent.desk.START_LIMIT_S", 0.1)
    async with open_desk(TypedNumbers()) as desk, asyncio.timeout(RELEASE_TIMEOUT_S / 2):
        await desk.release()


class _NoReader:
    def insert(self, _: object) -> None: ...
    def remove(self) -> None: ...


def test_the_card_side_is_imported_without_the_servers_packages() -> None:
    program = "import sys, reader_agent.desk, reader_agent.card_process; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert imported.isdisjoint({"smartcard", "hub", "asyncpg", "aio_pika", "aiosmtplib", "uvloop"})


async def test_how_long_a_card_takes(service: Pcscd, taro: Identity) -> None:
    """Printed with `-s`; `make bench` has no card reader."""
    async with counter_at(service.readers[0]) as counter:
        await counter.insert(JpkiCard(taro))
        with_pin, again = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            first = await counter.prove(Citizen())
            proven = time.perf_counter()
            second = await counter.prove(Citizen(), again=first.insertion)
            again.append(time.perf_counter() - proven)
            with_pin.append(proven - start)
            assert is_signed(first)
            assert is_signed(second)
    print(f"\nread, verify, sign: {median(with_pin) * 1000:.0f} ms; again: {median(again) * 1000:.0f} ms")  # noqa: T201
