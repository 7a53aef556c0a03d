"""`mykey-hub libraries`: the library systems that are asked whether they know a card number."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from connectors.library.component import component
from hub.asking import DEADLINE_S, Commands, RefusedError, act, asked, check, run, told_in
from hub.bus import Bus
from hub.component import Installed
from hub.printing import Listing
from schemas.libraries import LibrarySite, LibrarySitesOf, RegisterLibrarySite
from schemas.problems import RefusalCode
from schemas.service_ids import Issuer, IssuerKind, IssuersOf

ASKER: Final = Installed("library", component)


def main(arguments: Sequence[str]) -> int:
    """Library systems that are asked by SIP2: registered, changed, listed.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub libraries", description="Library systems that are asked by SIP2.")
    add = Commands(made).add
    add("list", "the library systems there are", _list)
    register = add("register", "take a library system in, or change its settings, by a file in TOML", _register)
    register.add_argument("file", type=Path, help="it has the login too: readable by you alone, removed afterwards")
    return made


async def _list(bus: Bus, _options: argparse.Namespace, console: Console) -> None:
    headings = ("ID付与事業者", "接続先", "暗号化", "文字コード", "機関", "チェックサム")
    table = Listing(*headings, whole={"ID付与事業者", "接続先"})
    for one in (await bus.call(LibrarySitesOf(), DEADLINE_S)).sites:
        checksums = "あり" if one.checksums else "なし"
        table.add_row(one.issuer_id, f"{one.host}:{one.port}", one.security, one.charset, one.institution, checksums)
    console.print(table)


async def _register(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    site = asked(LibrarySite, **told_in(options.file))
    issuer = await _library(bus, site.issuer_id)
    await act(bus, "libraries register", RegisterLibrarySite(site=site), [f"issuer:{site.issuer_id}"])
    console.print(f"{site.issuer_id} {issuer.name} {site.host}:{site.port}")
    if not issuer.sip2:
        console.print("warning: nobody asks it yet: put `sip2 = true` into the issuer's file (`mykey-hub issuers`)")


async def _library(bus: Bus, issuer_id: str) -> Issuer:
    """Nobody would ask a system that belongs to no issuer."""
    for issuer in (await bus.call(IssuersOf(issuer_ids=[issuer_id]), DEADLINE_S)).issuers:
        if issuer.kind is not IssuerKind.library:
            raise RefusedError(f"issuer_id {issuer_id} is a {issuer.kind.value} ({issuer.name}) and no library")
        return issuer
    check(RefusalCode.unknown_issuer)
    raise RefusedError(issuer_id)
