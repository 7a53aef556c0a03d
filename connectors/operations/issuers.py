"""`mykey-hub issuers`: the ministry's table of who issues card numbers: libraries and streets (mission I.3)."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from connectors.operations.component import component
from hub.asking import DEADLINE_S, Commands, act, asked, run, told_in
from hub.bus import Bus
from hub.component import Installed
from hub.printing import Listing
from schemas.service_ids import Issuer, IssuersOf, RegisterIssuer

ASKER: Final = Installed("operations", component)


def main(arguments: Sequence[str]) -> int:
    """Issuers of card numbers, libraries and shopping streets: taken in, changed, listed.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub issuers", description="Issuers of card numbers (ID付与事業者).")
    add = Commands(made).add
    listed = add("list", "the issuers there are", _list)
    listed.add_argument("--lg-code", metavar="LG_CODE", help="of this municipality only")
    register = add("register", "take an issuer in, or change its settings, by a file in TOML", _register)
    register.add_argument("file", type=Path)
    return made


async def _list(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    headings = ("ID付与事業者", "種別", "名称", "自治体コード", "番号の形式", "番号通知方式", "照会")
    table = Listing(*headings, whole={"ID付与事業者", "自治体コード"})
    for one in (await bus.call(asked(IssuersOf, lg_code=options.lg_code), DEADLINE_S)).issuers:
        method, sip2 = one.notification.method, "SIP2" if one.sip2 else ""
        table.add_row(one.issuer_id, one.kind.value, one.name, one.lg_code, one.pattern, method, sip2)
    console.print(table)


async def _register(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    issuer = asked(Issuer, **told_in(options.file))
    await act(bus, "issuers register", RegisterIssuer(issuer=issuer), [f"issuer:{issuer.issuer_id}"])
    console.print(f"{issuer.issuer_id} {issuer.kind.value} {issuer.name}")
