"""The words of `mykey-hub console …`."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from connectors.operations.acts import Role
from hub.clock import JAPAN

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse gives it no other name

EPILOG: Final = """
Without --url it works on the database of MYKEY_DATABASE_URL, or the embedded one, and what you do is written down under
your name on this machine. With --url it works over the operators' door, with the token in MYKEY_OPERATOR_TOKEN.
"""
WHY: Final = "why, for the audit; no personal data, please"

Command = Callable[..., Awaitable[object]]


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser; `commands` are what does each of them, by name; without one it is the live screen."""
    made = argparse.ArgumentParser(
        prog="mykey-hub console", description="See what flows, mend what is parked.", epilog=EPILOG, parents=[_common()]
    )
    made.set_defaults(command=commands["watch"], url=None, json=False)
    sub = made.add_subparsers(metavar="command")

    def add(name: str, about: str) -> argparse.ArgumentParser:
        one = sub.add_parser(name, help=about, description=about, parents=[_common()])
        one.set_defaults(command=commands[name])
        return one

    _to_see(add)
    _to_do(add)
    _corrections(add)
    _operators(sub, commands)
    return made


def _common() -> argparse.ArgumentParser:
    """What may be said before or behind any command; unsaid, it leaves what was said elsewhere."""
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument("--url", default=argparse.SUPPRESS, help="where the hub is, such as https://hub.example.jp")
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer for machines")
    return made


def _to_see(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    add("flow", "what flows now, once")
    found = add("messages", "the latest messages that fit")
    found.add_argument("--type", help="such as jp.mykey.points.credited.v1")
    found.add_argument("--subject", type=UUID, metavar="ID", help="what it is about, such as a citizen's id")
    found.add_argument("--correlation", type=UUID, metavar="ID", help="what began with this id")
    found.add_argument("--key", help="a business key, such as a partner's own transfer id")
    found.add_argument("--since", type=_instant, metavar="TIME", help="2017-10-02 or 2017-10-02T09:30, in Japan")
    found.add_argument("--until", type=_instant, metavar="TIME", help="as before; not itself")
    found.add_argument("--before", type=UUID, metavar="ID", help="the last one of the page before")
    found.add_argument("--limit", type=int, default=50, metavar="N")
    shown = add("show", "one message, all that came of it, how long it took, and what still waits")
    shown.add_argument("id", type=UUID)
    shown.add_argument("--reveal", metavar="WHY", help="also what is personal; that you looked, and why, is kept")
    parked = add("parked", "what is parked, by kind of failure")
    parked.add_argument("fingerprint", nargs="?", help="the deliveries of this kind")
    down = add("outages", "other sides that are down and how much waits for them, then the latest that were")
    down.add_argument("--limit", type=int, default=50, metavar="N")
    waiting = add("deliveries", "what is not done yet")
    waiting.add_argument("state", choices=("due", "scheduled", "held", "parked"))
    waiting.add_argument("--after", type=int, default=0, metavar="ID", help="the last one of the page before")
    waiting.add_argument("--limit", type=int, default=100, metavar="N")
    told = add("webhooks", "a party's endpoint, and what it was told")
    told.add_argument("party", type=UUID, help="a partner, shop or fund")
    told.add_argument("--undelivered", action="store_true", help="only what it has not taken")
    told.add_argument("--before", type=UUID, metavar="ID", help="the last one of the page before")
    told.add_argument("--limit", type=int, default=50, metavar="N")
    acts = add("acts", "what operators did")
    acts.add_argument("--before", type=UUID, metavar="ID", help="the last one of the page before")
    acts.add_argument("--limit", type=int, default=30, metavar="N")


def _to_do(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    again = add("redrive", "let what is parked be tried afresh")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("--delivery", type=int, metavar="ID", help="one, also a scheduled one")
    which.add_argument("--fingerprint", help="all of this kind of failure")
    which.add_argument("--all", action="store_true", help="all that is parked")
    again.add_argument("--reason", default="", metavar="WHY", help=WHY)
    replay = add("replay", "have a partner, shop or fund told again by webhook")
    replay.add_argument("party", type=UUID)
    what = replay.add_mutually_exclusive_group(required=True)
    what.add_argument("--event", type=UUID, metavar="ID", help="one event, taken already or not")
    what.add_argument("--undelivered", action="store_true", help="all that it has not taken")
    replay.add_argument("--reason", default="", metavar="WHY", help=WHY)
    note = add("note", "leave a note for colleagues; no personal data, please")
    where = note.add_mutually_exclusive_group(required=True)
    where.add_argument("--delivery", type=int, metavar="ID", help="at one delivery")
    where.add_argument("--fingerprint", help="at all failures of this kind")
    note.add_argument("text")
    copy = add("copy", "edit a parked message and deliver the copy instead")
    copy.add_argument("id", type=UUID)
    copy.add_argument("--reason", required=True, metavar="WHY", help=WHY)
    copy.add_argument("--file", type=Path, help="the edited body as JSON; without it your $EDITOR opens")
    pause = add("pause", "pause a component: it begins nothing more, and loses nothing")
    pause.add_argument("component")
    pause.add_argument("--reason", required=True, metavar="WHY", help=WHY)
    resume = add("resume", "let a paused component go on")
    resume.add_argument("component")
    resume.add_argument("--reason", default="", metavar="WHY", help=WHY)
    test = add("test", "try the connection to a partner, a shop or fund (checkout), a library or the mail server")
    test.add_argument("component", choices=("mail", "partner", "checkout", "library"))
    test.add_argument("--party", type=UUID, metavar="ID", help="which partner, shop or fund")
    test.add_argument("--issuer", metavar="ID", help="which library, by its issuer id of six digits")
    test.add_argument("--reason", default="", metavar="WHY", help=WHY)


def _corrections(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    listed = add("corrections", "which wrong postings are to be reversed, and what came of it")
    listed.add_argument("--all", action="store_true", help="also what is decided and answered")
    listed.add_argument("--before", type=UUID, metavar="ID", help="the last one of the page before")
    listed.add_argument("--limit", type=int, default=50, metavar="N")
    asked = add("correct", "ask for a wrong posting to be reversed; somebody else approves it (with --url)")
    asked.add_argument("party", type=UUID, help="whose posting: the partner, store, office or citizen who asked for it")
    asked.add_argument("posting", help="that party's own id of it")
    asked.add_argument("--reason", required=True, metavar="WHY", help=WHY)
    approved = add("approve-correction", "approve what somebody else asked for: it is done, once (with --url)")
    approved.add_argument("id", type=UUID)
    approved.add_argument("--reason", default="", metavar="WHY", help=WHY)
    rejected = add("reject-correction", "nothing is reversed (with --url)")
    rejected.add_argument("id", type=UUID)
    rejected.add_argument("--reason", required=True, metavar="WHY", help=WHY)


def _operators(sub: "SubParsers", commands: Mapping[str, Command]) -> None:
    about = "who may come in by the operators' door"
    sub = sub.add_parser("operators", help=about, description=about).add_subparsers(required=True, metavar="what")
    listed = sub.add_parser("list", help="all there are and were", parents=[_common()])
    listed.set_defaults(command=commands["operators list"])
    added = sub.add_parser("add", help="add one; the token is shown once", parents=[_common()])
    added.add_argument("name", help="a-z 0-9 . _ -")
    added.add_argument("role", choices=[role.value for role in Role])
    added.add_argument("--reason", default="", metavar="WHY", help=WHY)
    added.set_defaults(command=commands["operators add"])
    revoked = sub.add_parser("revoke", help="from now on the token opens nothing", parents=[_common()])
    revoked.add_argument("name")
    revoked.add_argument("--reason", required=True, metavar="WHY", help=WHY)
    revoked.set_defaults(command=commands["operators revoke"])


def _instant(text: str) -> datetime:
    """A time as typed, in Japan where it names no time zone."""
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=JAPAN)).astimezone(UTC)
