"""The main story, `mykey-hub story`: a partner's month becomes points, and every number is checked.

Exit status 0 only if every check held. `--json FILE` writes the report, `--data DIR` plays another world of the same
form. `mykey-hub demo` plays it and then stays up.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo import operating
from demo.acts import (
    counter,
    coupons,
    expiry,
    holding,
    linking,
    mails,
    merging,
    moving,
    opening,
    paying,
    people,
    proof,
    settling,
    transfers,
    unlinking,
)
from demo.oracle import expect
from demo.peers import PartnerKey, mailbox, member_log_in
from demo.ports import free_port
from demo.processes import Apart, broker
from demo.stage import Stage
from demo.terminals import VirtualTerminals, virtual_terminals
from demo.world import DATA, World
from hub import logs, loop, migrations, printing
from hub.clock import AdjustableClock, SharedClock
from hub.demo_file import DemoOffer
from hub.embedded_postgres import EmbeddedPostgres
from hub.errors import HubError
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving, until_told_to_stop
from hub.settings import Settings

HELP: Final = "rabbitmq plays it with every component in processes of its own, two of each"


class Act(NamedTuple):
    """One act: its name in the report, its title on the screen, and its play."""

    name: str
    title: str
    play: Callable[[Stage], Awaitable[None]]


MAIL_PER_DOMAIN_S: Final = 50_000.0
"""All mails of the demo world go to one domain, which is our own mailbox: nothing to be gentle with."""

POOLS: Final = {"ledger": 6, "mail": 6}

DEMO_FILE: Final = "demo.json"
CARDS_ISSUED_BEFORE: Final = timedelta(days=400)

ACTS: Final = (
    Act("world", "the world opens", opening.play),
    Act("import", "the airline posts its month", transfers.play),
    Act("moves", "citizens move reserve points", moving.play),
    Act("sweep", "the holding period passes", holding.play),
    Act("uses", "points are used at counters", counter.play),
    Act("expiry", "points expire", expiry.play),
    Act("mails", "mails arrive", mails.play),
    Act("settlement", "everybody settles", settling.play),
    Act("merge", "points become a street's", merging.play),
    Act("linking", "an account is linked, points come", linking.play),
    Act("paying", "points pay at a shop and a fund", paying.play),
    Act("unlinking", "the link ends", unlinking.play),
    Act("coupons", "coupons of a card company", coupons.play),
    Act("verify", "the books are proven", proof.play),
)


def story(arguments: Sequence[str]) -> int:
    """Play the main story, and check every number."""
    return _main("story", arguments)


def demo(arguments: Sequence[str]) -> int:
    """Play the main story, then stay up until told to stop (`make run`)."""
    return _main("demo", arguments)


def _main(command: str, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"mykey-hub {command}", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report for machines")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="another world of the same form")
    parser.add_argument("--transport", choices=("postgres", "rabbitmq"), default="postgres", help=HELP)
    parser.add_argument("--quick", action="store_true", help="open the world only, without the month's transfers")
    parser.add_argument("--port", type=int, default=0 if command == "story" else 8080)
    options = parser.parse_args(arguments)
    logs.configure("warning")
    console = printing.console(markup=True)
    try:
        return loop.run(_play(options, console, stay=command == "demo"))
    except (HubError, TimeoutError) as error:
        console.print(f"[bold red]the story broke off:[/] {type(error).__name__}: {error}")
        return 1


async def _play(options: argparse.Namespace, console: Console, *, stay: bool) -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mykey-story-") as name:
        folder, world = Path(name), World(options.data)
        async with AsyncExitStack() as stack:
            # The cards are as old as people's cards are, in the time of the story.
            issued_at = world.opening() - CARDS_ISSUED_BEFORE
            terminals = await stack.enter_async_context(virtual_terminals(folder, issued_at))
            shown = {"card_anchors": str(terminals.anchors)} | ({"demo_file": str(folder / DEMO_FILE)} if stay else {})
            stage = await stack.enter_async_context(_stage(options, folder, console, world, terminals, shown))
            stage.seconds["start"] = round(time.monotonic() - begun, 2)
            await _acts(stage, console, ACTS[:1] if options.quick else ACTS)
            offer = None
            if stay:
                log_in = member_log_in(stage.url, people.POWER_COMPANY, "電力会社の会員ログイン（デモ）")
                issuer = await stack.enter_async_context(log_in)
                with stage.timed("people"):
                    offer = await people.play(stage, DEMO_FILE, issuer)
            status = _report(stage, options, console, time.monotonic() - begun)
            if offer is not None:
                _invite(stage, offer, console)
                await until_told_to_stop()
    return status


def _invite(stage: Stage, offer: DemoOffer, console: Console) -> None:
    """The last thing on the screen: where the portal is, and what to try as whom."""
    table = Table("マイキーID", "パスワード", "名前", title="デモの利用者")
    table.add_column("試すこと", overflow="fold")
    for person in offer.people:
        table.add_row(person.mykey_id, person.password, person.name, person.about)
    table.add_row(
        "（なし）",
        "",
        f"新しいカード {len(offer.cards)}枚",
        "マイキーIDを作る。クーポンコードDEMO-COUPON-0003を使い、ポイントを移す。",
    )
    console.print(table)
    console.print(f"portal: [bold]{stage.url}/[/]")
    # In one piece, however narrow the terminal is: it is there to be copied.
    console.print(f"console: {stage.console_line}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"mails:  {stage.mailbox.url}/")
    console.print(f"API:    {stage.url}/api/")
    console.print("It stays up until Ctrl-C.")


@asynccontextmanager
async def _stage(
    options: argparse.Namespace,
    folder: Path,
    console: Console,
    world: World,
    terminals: VirtualTerminals,
    shown: Mapping[str, str],
) -> AsyncIterator[Stage]:
    server = EmbeddedPostgres.temporary()
    url = await asyncio.to_thread(server.start)
    hub = _together if options.transport == "postgres" else _apart
    try:
        await migrations.migrate(url, migrations.installed_sources())
        async with mailbox() as box:
            given: Given = {**_mail_settings(box.smtp_port), **shown}
            async with hub(options, folder, url, world.opening(), given) as running, AsyncExitStack() as stack:
                yield Stage(
                    world=world,
                    expected=expect(world),
                    clock=running.clock,
                    process=running.process,
                    settings=running.settings,
                    components=[one.name for one in installed()],
                    url=running.url,
                    other_url=running.other_url,
                    terminal_url=running.terminal_url,
                    carried=running.carried,
                    mailbox=box,
                    key=PartnerKey(folder, "airline-2017"),
                    folder=folder,
                    stack=stack,
                    terminals=terminals,
                    console_line=operating.console_line(folder, url, running.settings),
                    say=console.print,
                )
    finally:
        await asyncio.to_thread(server.stop)


class Running(NamedTuple):
    """The hub of the story: its clock, a process to speak from, its settings, and where partners and agents come in."""

    clock: AdjustableClock | SharedClock
    process: HubProcess
    settings: Settings
    url: str
    other_url: str
    terminal_url: str
    carried: Callable[[], Awaitable[dict[str, int]]] | None = None


Given: TypeAlias = dict[str, str | int | float | Mapping[str, int]]


def _mail_settings(smtp_port: int) -> Given:
    return {
        "smtp_port": smtp_port,
        "smtp_security": "none",
        "mail_per_domain_s": MAIL_PER_DOMAIN_S,
        "pool_sizes": POOLS,
    }


@asynccontextmanager
async def _together(
    options: argparse.Namespace, folder: Path, url: str, opening: datetime, shared: Given
) -> AsyncIterator[Running]:
    """Everything in this process."""
    clock = AdjustableClock(opening)
    given = {"data_dir": folder / "data", "http_port": options.port or free_port(), **shared}
    settings = Settings.model_validate(given)
    async with serving(settings, clock, installed(), url) as served:
        own = served.url or ""
        yield Running(clock, served.process, settings, own, own, own)


@asynccontextmanager
async def _apart(
    _options: argparse.Namespace, folder: Path, url: str, opening: datetime, shared: Given
) -> AsyncIterator[Running]:
    """Two processes of every component, over RabbitMQ."""
    clock = SharedClock.begin(folder / "clock", opening)
    async with broker() as amqp_url:
        apart = Apart({**shared, "database_url": url, "transport": "rabbitmq", "amqp_url": amqp_url}, folder / "clock")
        async with apart.running([one.name for one in installed()]), apart.caller(url, clock) as process:
            own, front = apart.urls["partner"]
            at_terminals = apart.urls["terminal"][0]
            yield Running(clock, process, apart.settings(), own, front, at_terminals, apart.carried)


async def _acts(stage: Stage, console: Console, acts: Sequence[Act]) -> None:
    columns = (TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(acts))
        for act in acts:
            progress.update(task, description=act.title)
            with stage.timed(act.name):
                await act.play(stage)
            progress.advance(task)


def _report(stage: Stage, options: argparse.Namespace, console: Console, total_s: float) -> int:
    failed = [check for check in stage.checks if not check.held]
    report = stage.report | {
        "ok": not failed,
        "checks": len(stage.checks),
        "failed": [{"name": check.name, "detail": check.detail} for check in failed],
        "seconds": stage.seconds | {"total": round(total_s, 2)},
    }
    if options.json:
        options.json.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for act, seconds in stage.seconds.items():
        console.print(f"  {act:12} {seconds:7.2f} s")
    for check in failed:
        console.print(f"[bold red]did not hold:[/] {check.name}: {check.detail}", markup=True)
    held = len(stage.checks) - len(failed)
    console.print(f"[bold]{held} of {len(stage.checks)} checks held[/] in {total_s:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(story(sys.argv[1:]))
