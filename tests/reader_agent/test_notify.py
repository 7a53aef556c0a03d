"""A number is handed to the program beside us: typed into a real window, copied, written, called; or said not to be."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

import pytest
import structlog
from aiohttp import web

from reader_agent.notify import clipboard as method
from reader_agent.notify.errors import NotHandedOnError
from reader_agent.notify.handing_on import HandingOn
from reader_agent.notify.programs import run
from reader_agent.notify.uinput import _press
from reader_agent.notify.url import checked, is_inside
from reader_agent.settings import Settings
from schemas.uplink import NotifyJob, Outcome
from tests.reader_agent import desktop
from tests.reader_agent.desktop import until_shown, window
from tests.waiting import wait_until

NUMBER = "A1234567890B"
on_a_desktop = pytest.mark.skipif(not desktop.is_there(), reason=desktop.MISSING)


def job(how: str, **changes: object) -> NotifyJob:
    fields: Mapping[str, object] = {"job_id": uuid4(), "limit_s": 10, "number": NUMBER, "method": how}
    return NotifyJob.model_validate({**fields, **changes})


def settings(folder: Path | None = None) -> Settings:
    return Settings(hub_url="https://hub.example", notify_folder=folder)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    with desktop.desktop() as display:
        yield display


@pytest.fixture
def display(screen: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return screen


@on_a_desktop
async def test_a_number_is_typed_into_the_window_that_has_the_focus(display: str, tmp_path: Path) -> None:
    written = tmp_path / "line"
    with window(display, written):
        await until_shown(display)
        result = await HandingOn(settings()).hand_on(job("keyboard", prefix="P:", suffix="$-"))
        assert result.outcome is Outcome.done
        await wait_until(written.exists)
    assert written.read_text() == f"P:{NUMBER}$-"


@on_a_desktop
@pytest.mark.parametrize("tool", [method.XSEL, method.XCLIP])
async def test_a_number_is_copied_and_taken_away_again(
    display: str, tool: method.Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method, "tool", lambda: tool)
    notifier = HandingOn(settings())
    assert (await notifier.hand_on(job("clipboard", clear_after_s=300))).outcome is Outcome.done
    await wait_until(lambda: desktop.clipboard(display) == NUMBER)
    await notifier.close()
    assert desktop.clipboard(display) == ""
    await notifier.hand_on(job("clipboard", clear_after_s=3))
    await wait_until(lambda: desktop.clipboard(display) == NUMBER)
    await wait_until(lambda: notifier._clipboard._clearing is not None and notifier._clipboard._clearing.done())
    assert desktop.clipboard(display) == ""


@on_a_desktop
async def test_what_somebody_copied_since_stays(display: str) -> None:
    notifier = HandingOn(settings())
    await notifier.hand_on(job("clipboard", clear_after_s=300))
    await run(method.XCLIP.put, "of somebody else")
    await notifier.close()
    assert desktop.clipboard(display) == "of somebody else"
    await run(method.XSEL.empty)


def in_a_file(path: Path, *, put: str = "", tell: str = "") -> method.Tool:
    """A clipboard that is a file; what a command does beside putting and before telling."""
    return method.Tool(
        ("sh", "-c", f"cat >'{path}'; {put}"), ("sh", "-c", f"{tell} cat '{path}'"), ("sh", "-c", f": >'{path}'")
    )


async def test_a_number_whose_copying_was_broken_off_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "copied"
    tool = in_a_file(copied, put="exec tail -f /dev/null")
    monkeypatch.setattr(method, "tool", lambda: tool)
    notifier = HandingOn(settings())
    handing = asyncio.create_task(notifier.hand_on(job("clipboard", clear_after_s=300)))
    await wait_until(lambda: copied.exists() and copied.read_text() == NUMBER)
    handing.cancel()
    await wait_until(lambda: copied.read_text() == "")
    await notifier.close()


async def test_a_number_is_taken_away_also_where_who_waited_for_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, gate = tmp_path / "copied", tmp_path / "gate"
    os.mkfifo(gate)
    tool = in_a_file(copied, tell=f"cat '{gate}';")
    monkeypatch.setattr(method, "tool", lambda: tool)
    notifier = HandingOn(settings())
    await notifier.hand_on(job("clipboard", clear_after_s=300))
    next_one = asyncio.create_task(notifier.hand_on(job("clipboard")))
    clearing = await wait_until(lambda: _writer(gate))
    next_one.cancel()
    await asyncio.wait([next_one])
    os.close(clearing)
    await wait_until(lambda: copied.read_text() == "")


def _writer(gate: Path) -> int:
    """Open, once somebody reads there; 0 until then."""
    try:
        return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


async def test_a_line_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    notifier, target = HandingOn(settings(tmp_path)), tmp_path / "number.txt"
    seen: set[str] = set()
    done = asyncio.Event()

    def look() -> None:
        while not done.is_set():
            if target.exists():
                seen.add(target.read_text())

    looking = asyncio.create_task(asyncio.to_thread(look))
    for number in ("1" * 64, "2" * 64) * 50:
        await notifier.hand_on(job("file", target="number.txt", number=number))
    done.set()
    await looking
    assert seen <= {"1" * 64 + os.linesep, "2" * 64 + os.linesep}
    assert names(tmp_path) == ["number.txt"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o133 == 0


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/x", ".hidden", "a\\b", "x" * 65, "ａ", "a\n"])
async def test_a_file_lies_in_the_folder_under_a_plain_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "numbers"
    folder.mkdir()
    result = await HandingOn(settings(folder)).hand_on(job("file", target=name))
    assert result.outcome is Outcome.not_handed_on
    assert (names(tmp_path), names(folder)) == (["numbers"], [])


async def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    folder, other = tmp_path / "numbers", tmp_path / "other"
    folder.mkdir()
    other.write_text("as it was")
    (folder / "n").symlink_to(other)
    assert (await HandingOn(settings(folder)).hand_on(job("file", target="n"))).outcome is Outcome.done
    assert other.read_text() == "as it was"


async def test_without_a_folder_or_tool_it_is_said_and_the_number_is_in_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("DISPLAY", raising=False)
    jobs = [
        job("file", target="n"),
        job("clipboard"),
        job("keyboard", prefix="あ"),
        job("url", target="http://8.8.8.8/{number}"),
    ]
    with structlog.testing.capture_logs() as logged:
        for one in jobs:
            assert (await HandingOn(settings()).hand_on(one)).outcome is Outcome.not_handed_on
    assert len(logged) == len(jobs)
    assert NUMBER not in repr(logged)


@asynccontextmanager
async def program(status: int = 200) -> AsyncIterator[tuple[str, list[str]]]:
    """A library's program on this machine, and what it was called with."""
    called: list[str] = []

    async def take(request: web.Request) -> web.Response:
        called.append(request.path_qs)
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:9/"})

    app = web.Application()
    app.router.add_get("/{rest:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", called
    finally:
        await runner.cleanup()


@pytest.mark.loopback
async def test_a_program_of_this_machine_is_called() -> None:
    async with program() as (place, called):
        notifier = HandingOn(settings())
        for target in (f"http://{place}/look?card={{number}}&x=1", f"http://localhost:{place[10:]}/{{number}}"):
            result = await notifier.hand_on(job("url", target=target, prefix="+"))
            assert result.outcome is Outcome.done
    assert [unquote(one) for one in called] == [f"/look?card=+{NUMBER}&x=1", f"/+{NUMBER}"]
    assert "%2B" in called[0]


@pytest.mark.loopback
@pytest.mark.parametrize("status", [302, 404, 500])
async def test_no_success_is_none_and_no_redirect_is_followed(status: int) -> None:
    async with program(status) as (place, called):
        target = f"http://{place}/{{number}}"
        assert (await HandingOn(settings()).hand_on(job("url", target=target))).outcome is Outcome.not_handed_on
        assert len(called) == 1


@pytest.mark.parametrize(
    "target",
    [
        "",
        "http://127.0.0.1/",
        "http://8.8.8.8/{number}",
        "http://169.254.169.254/{number}",
        "http://[::ffff:8.8.8.8]/{number}",
        "http://0.0.0.0/{number}",
        "http://{number}.example/",
        "http://user@127.0.0.1/{number}",
        "ftp://127.0.0.1/{number}",
        "file:///{number}",
        "http://127.0.0.1/\n{number}",
        "http://[/{number}",
    ],
)
def test_addresses_that_are_not_called(target: str) -> None:
    with pytest.raises(NotHandedOnError) as refused:
        checked(target, NUMBER)
    assert NUMBER not in str(refused.value)


def test_inside_is_this_machine_and_private_networks() -> None:
    inside = ("127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "fd00::1", "::ffff:10.0.0.1")
    outside = ("8.8.8.8", "169.254.169.254", "fe80::1", "2001:4860::1", "0.0.0.0", "::ffff:8.8.8.8")  # noqa: S104
    assert all(is_inside(ip_address(one)) for one in inside)
    assert not any(is_inside(ip_address(one)) for one in outside)


def test_keys_that_are_not_the_same_on_every_keyboard_are_refused() -> None:
    assert _press("a") == (30, False)
    assert _press("A") == (30, True)
    assert _press("0") == (11, False)
    assert _press("$") == (5, True)
    assert _press("-") == (12, False)
    for sign in "+:あ":
        with pytest.raises(NotHandedOnError):
            _press(sign)
