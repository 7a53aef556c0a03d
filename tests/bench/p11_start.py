"""P11: `make run` in a new clone with an empty home, until the portal's first page is there; once more; then at rest.

Everything is fetched from the package indexes that this machine is told of, so the first figure is one of the network
too. The second start plays its story to the end, and is looked at once it has been left alone for a while. The process
still holds what the story was played with: the world, and what its checks compare.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout

from demo.ports import HOST, free_port
from tests.bench.children import ROOT
from tests.bench.figures import Measured, NotMeasuredError
from tests.bench.process_tree import Process, descendants, kill
from tests.memory import proportional_kib, resident_kib
from tests.waiting import wait_until

NEEDED: Final = ("git", "make")
GIT_LIMIT_S: Final = 60.0
FIRST_PAGE_LIMIT_S: Final = 900.0
PAGE_LIMIT_S: Final = 30.0
STORY_LIMIT_S: Final = 600.0
IDLE_S: Final = 10.0
STOP_LIMIT_S: Final = 40.0
POLL_S: Final = 0.05
LAST_WORDS: Final = b"It stays up until Ctrl-C."
TAIL_CHARACTERS: Final = 300
OK: Final = 200
NOT_HANDED_ON: Final = ("MYKEY_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS", "XDG_", "PIP_CACHE_DIR")
"""Variables that begin so are this call's own, or lead to what was fetched before."""


@dataclass(frozen=True, slots=True)
class Run:
    """`make run` at work since `began_s`; `log` is what it says."""

    process: asyncio.subprocess.Process
    url: str
    log: Path
    began_s: float

    async def first_page(self) -> tuple[float, float]:
        """Seconds until the portal's front page was there, and of processor time. Raises NotMeasuredError."""
        async with ClientSession(timeout=ClientTimeout(PAGE_LIMIT_S)) as client:
            await self._until("no first page", lambda: _is_there(client, self.url), FIRST_PAGE_LIMIT_S)
        took_s = time.perf_counter() - self.began_s
        return took_s, sum(one.cpu_s for one in self.tree())

    async def story(self) -> float:
        """Seconds until all was said that it says. Raises NotMeasuredError."""
        await self._until("the story is not over", self._has_said_all, STORY_LIMIT_S)
        return time.perf_counter() - self.began_s

    def tree(self) -> list[Process]:
        """All its processes."""
        return list(descendants(self.process.pid))

    async def _has_said_all(self) -> bool:
        return LAST_WORDS in self.log.read_bytes()

    async def _until(self, otherwise: str, condition: Callable[[], Awaitable[bool]], limit_s: float) -> None:
        async def there_or_ended() -> bool:
            return self.process.returncode is not None or await condition()

        try:
            await wait_until(there_or_ended, limit_s, POLL_S)
        except TimeoutError:
            raise NotMeasuredError(f"{otherwise} after {limit_s:g} s: {self._tail()}") from None
        if self.process.returncode is not None:
            raise NotMeasuredError(f"`make run` ended with {self.process.returncode}: {self._tail()}")

    def _tail(self) -> str:
        return " ".join(self.log.read_text(encoding="utf-8", errors="replace").split())[-TAIL_CHARACTERS:]


class Start:
    """The measurement."""

    async def measure(self) -> Measured:
        """One round. Raises NotMeasuredError where a step cannot be done here."""
        _check_possible()
        with tempfile.TemporaryDirectory(prefix="mykey-bench-start-") as name:
            folder = Path(name)
            commit = await _clone(folder / "checkout")
            async with _make_run(folder) as run:
                first_s, first_cpu_s = await run.first_page()
            async with _make_run(folder) as run:
                second_s, second_cpu_s = await run.first_page()
                story_s = await run.story()
                await asyncio.sleep(IDLE_S)
                held = _held(run.tree())
        notes = {
            "processor s of it": round(first_cpu_s, 1),
            "second time s (goal 5)": round(second_s, 1),
            "processor s of that": round(second_cpu_s, 1),
            "its story over after s": round(story_s, 1),
        }
        return Measured(first_s, {**notes, **held, "commit": commit})


def _check_possible() -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or not (ROOT / ".git").exists() or not Path("/proc/self/smaps_rollup").exists():
        raise NotMeasuredError(f"needs {', '.join(NEEDED)}, a git checkout and Linux")


async def _clone(folder: Path) -> str:
    """What is committed here; returns the commit. Raises NotMeasuredError."""
    await _git("clone", "--quiet", str(ROOT), str(folder))
    return await _git("-C", str(folder), "rev-parse", "--short", "HEAD")


async def _git(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("git", *arguments, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(GIT_LIMIT_S):
        said, _ = await process.communicate()
    if process.returncode != 0:
        raise NotMeasuredError(f"git {arguments[0]} ended with {process.returncode}")
    return said.decode().strip()


@asynccontextmanager
async def _make_run(folder: Path) -> AsyncIterator[Run]:
    """`make run` in the clone; nothing of it is left at the end, however that comes."""
    port, log = free_port(), folder / "log"
    with log.open("wb") as said:
        began_s = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            "make", "run", f"ARGS=--port {port}", cwd=folder / "checkout", env=_environment(folder / "home"),
            stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        yield Run(process, f"http://{HOST}:{port}/", log, began_s)
    finally:
        await _end(process)


def _environment(home: Path) -> Mapping[str, str]:
    home.mkdir(exist_ok=True)
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_HANDED_ON)} | {
        "HOME": str(home)
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    """As Ctrl-C does, then less politely."""
    tree: set[Process] = set()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        tree.update(descendants(process.pid))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if number is signal.SIGKILL:
            kill(tree)
        with suppress(TimeoutError):
            await wait_until(lambda: not any(one.is_there for one in tree), STOP_LIMIT_S, POLL_S)
            break
    await process.wait()


async def _is_there(client: ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as answer:
            return answer.status == OK and b"</html>" in await answer.read()
    except (ClientConnectionError, TimeoutError):
        return False


def _held(tree: Sequence[Process]) -> dict[str, object]:
    """MiB: of each its own and its share of what it shares with others; of the hub's also all that it sees."""
    (hub,) = [one for one in tree if any(word.endswith("mykey-hub") for word in one.arguments[:2])]
    servers = [one for one in tree if one.name == "postgres"]
    others = [one for one in tree if one is not hub and one not in servers]
    return {
        "at rest: hub MiB (goal 250)": _mib(proportional_kib(hub.pid)),
        "resident": _mib(resident_kib(hub.pid)),
        "PostgreSQL MiB": _mib(sum(proportional_kib(one.pid) for one in servers)),
        "the world outside MiB": _mib(sum(proportional_kib(one.pid) for one in others)),
    }


def _mib(kib: int) -> int:
    return round(kib / 1024)
