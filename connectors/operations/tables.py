"""What the terminal program prints: tables in a few colours, nothing of what others say taken as markup."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from connectors.operations.acts import Act, ActKind
from connectors.operations.operators import Operator
from connectors.operations.shapes import ComponentFlow, Flow, Group, ReceiverFlow
from hub.clock import JAPAN
from hub.outages import Outage
from hub.printing import NARROWEST, Listing
from hub.store import Delivered, DeliveryState, StoredMessage, WaitingDelivery, Way
from schemas.connections import ConnectionTested
from schemas.webhooks import Webhooks

LATE_S: Final = 60.0
"""What waits longer than this is shown in colour."""
SECOND_MS: Final = 1_000.0
MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0
TYPE_PREFIX: Final = "jp.mykey."

QUIET: Final = "dim"
BAD: Final = "bold red"
WARN: Final = "yellow"
GOOD: Final = "green"
HELD: Final = "magenta"
STYLES: Final = {
    DeliveryState.done: GOOD,
    DeliveryState.due: "cyan",
    DeliveryState.scheduled: WARN,
    DeliveryState.held: HELD,
    DeliveryState.parked: BAD,
    DeliveryState.replaced: QUIET,
}
FLOW: Final = (
    *("component", "procs", "receiver", "due", "in\nwork", "waits"),
    *("retry", "held", "parked", "done\n/s", "failed\n/s", "p50", "p99"),
)
FLOW_NARROWEST: Final = 4
"""Eleven columns of figures stand beside two names, in 80 columns."""
RIGHT: Final = frozenset({*FLOW, "attempts", "probes", "waits", "said", "took", "points"} - {"component", "receiver"})
WHOLE: Final = frozenset(
    {
        *("component", "receiver", "fingerprint", "destination", "delivery", "id", "subject", "key", "event"),
        *("messages", "goes to", "state", "took", "operator", "on", "name", "party", "posting"),
    }
)
"""What the next command needs, and what stands line by line beside another."""


def table(*headings: str, narrowest: int = NARROWEST, gap: int = 2) -> Listing:
    """An empty table."""
    return Listing(*headings, whole=WHOLE, right=RIGHT, narrowest=narrowest, gap=gap)


def flow_table(flow: Flow) -> RenderableType:
    """What flows, a line for each receiver; a component that has nothing to do has one line.

    Above them, how many processes complain of the broker.
    """
    made = table(*FLOW, narrowest=FLOW_NARROWEST, gap=1)
    complaints = [Text(f"broker ({one.processes} processes): {one.complaint}", BAD) for one in flow.complaints]
    for component in flow.components:
        for number, receiver in enumerate(component.receivers or [ReceiverFlow(receiver="")]):
            first = _component(component) if number == 0 else (Text(""), Text(""))
            made.add_row(*first, *_receiver(receiver, flow.at))
    return Lines(*complaints, made)


def _component(one: ComponentFlow) -> tuple[Text, Text]:
    name = Text(one.component, "bold")
    if one.paused is not None:
        name.append("\npaused", "black on yellow")
    return name, Text(str(one.processes), QUIET if one.processes else BAD)


def _receiver(one: ReceiverFlow, now: datetime) -> Iterable[Text]:
    waits_s = (now - one.oldest).total_seconds() if one.oldest is not None and one.due else 0.0
    yield Text(one.receiver.partition(".")[2] or ("messages" if one.receiver else ""), QUIET)
    yield _count(one.due, "cyan")
    yield _count(one.in_work, GOOD)
    yield Text(span(waits_s) if one.due else "", WARN if waits_s > LATE_S else "")
    yield _count(one.scheduled, WARN)
    yield _count(one.held, HELD)
    yield _count(one.parked, BAD)
    yield Text(f"{one.done_per_s:,.1f}" if one.done_per_s else "", GOOD)
    yield Text(f"{one.failed_per_s:,.1f}" if one.failed_per_s else "", BAD)
    yield Text(_ms(one.critical_p50_ms))
    yield Text(_ms(one.critical_p99_ms))


def pauses(flow: Flow) -> RenderableType | None:
    """Who has paused what, and why."""
    found = [one.paused for one in flow.components if one.paused is not None]
    lines = [
        Text.assemble(
            (f"{one.component} is paused", WARN), f" since {clock(one.since)} by {one.operator}: {one.reason}"
        )
        for one in found
    ]
    return Lines(*lines) if lines else None


def parked_table(groups: Sequence[Group], limit: int | None = None) -> RenderableType:
    """What is parked, by kind of failure, with the latest note."""
    if not groups:
        return Text("nothing is parked", GOOD)
    made = table("fingerprint", "receiver", "messages", "types", "reason", "last", "note")
    for one in groups[:limit]:
        group = one.group
        note = f"{one.notes[0].note} ({one.notes[0].operator})" if one.notes else group.note or ""
        made.add_row(
            Text(group.fingerprint, "bold"),
            Text(group.receiver),
            Text(f"{group.messages:,}", BAD),
            Text("\n".join(map(short, group.types))),
            Text(group.reason),
            Text(clock(group.last)),
            Text(note, "italic"),
        )
    return _with_rest(made, len(groups) - len(groups[:limit]))


def _with_rest(made: Listing, more: int) -> RenderableType:
    return Lines(made, Text(f"and {more} more", QUIET)) if more else made


def outages_table(found: Sequence[Outage], limit: int | None = None) -> RenderableType:
    """Other sides that are down, with how much waits for each; then those that were."""
    if not found:
        return Text("no other side is or was down", GOOD)
    made = table("receiver", "destination", "since", "over", "held", "probes", "next probe", "error")
    for one in found[:limit]:
        is_open = one.ended_at is None
        made.add_row(
            Text(one.receiver, "" if is_open else QUIET),
            Text(one.destination, BAD if is_open else QUIET),
            Text(clock(one.began_at)),
            Text(clock(one.ended_at) if one.ended_at else "", GOOD),
            _count(one.held, HELD),
            Text(str(one.probes)),
            Text(clock(one.probe_after) if is_open else ""),
            Text(one.error),
        )
    return _with_rest(made, len(found) - len(found[:limit]))


def messages_table(found: Sequence[StoredMessage]) -> RenderableType:
    """Messages, each in a line."""
    if not found:
        return Text("no such messages")
    made = table("id", "time", "type", "source", "subject", "key")
    for one in found:
        made.add_row(
            Text(str(one.id), "bold"),
            Text(clock(one.time)),
            Text(short(one.type)),
            Text(one.source),
            Text(str(one.subject)),
            Text(one.business_key or ""),
        )
    return made


def deliveries_table(found: Sequence[WaitingDelivery]) -> RenderableType:
    """Deliveries that are not done yet."""
    if not found:
        return Text("there are none")
    made = table("delivery", "receiver", "state", "messages", "attempts", "waits", "due", "for", "reason", "note")
    now = datetime.now(UTC)
    for one in found:
        made.add_row(
            Text(str(one.id), "bold"),
            Text(one.receiver),
            Text(one.state, STYLES[DeliveryState(one.state)]),
            Text(str(len(one.message_ids)) if len(one.message_ids) > 1 else str(one.message_ids[0])),
            Text(str(one.attempts)),
            Text(span((now - one.since).total_seconds())),
            Text(clock(one.due_at) if one.due_at else ""),
            Text(one.destination or "", HELD),
            Text(one.reason or ""),
            Text(one.note or "", "italic"),
        )
    return made


def way_of(way: Way) -> RenderableType:
    """One message, all that came of it, where each went, how long that took, and what still waits."""
    message = way.message
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("message", str(message.id)),
        ("type", message.type),
        ("said", f"{clock(message.said_at)} by {message.source}"),
        ("about", str(message.subject)),
        ("key", message.business_key or ""),
        ("began with", str(message.correlation_id)),
    ):
        if value:
            facts.add_row(Text(name, QUIET), Text(value))
    copies = [
        Text.assemble(
            (str(one.original_id), QUIET), " was replaced by ", str(one.copy_id), f" for {', '.join(one.receivers)}"
        )
        for one in way.copies
    ]
    waiting = [deliveries_table(way.waiting)] if way.waiting else [Text("all of it is done", GOOD)]
    return Lines(facts, Padding(_body(message), (1, 0), expand=False), _chain(way), *copies, *waiting)


def _body(message: StoredMessage) -> RenderableType:
    if message.data is None:
        return Text("(not shown: personal data)" if message.personal else "(unreadable)", WARN)
    told = json.dumps(message.data, ensure_ascii=False, indent=2)
    return Syntax(told, "json", background_color="default", word_wrap=True)


def _chain(way: Way) -> Listing:
    made = table("said", "type", "source", "goes to", "state", "took", "id")
    began = way.chain[0].said_at if way.chain else way.message.said_at
    for message in way.chain:
        to = [one for one in way.deliveries if one.message_id == message.id]
        made.add_row(
            Text(f"+{span((message.said_at - began) / timedelta(seconds=1))}"),
            Text(short(message.type), "bold" if message.id == way.message.id else ""),
            Text(message.source),
            Text("\n".join(one.receiver for one in to) or "nobody", "" if to else QUIET),
            Text("\n").join(Text(one.state.value, STYLES[one.state]) for one in to),
            Text("\n".join(map(_took, to))),
            Text(str(message.id), QUIET),
        )
    return made


def _took(one: Delivered) -> str:
    """How long from saying to effect; a point where it is done and nothing came of it that would tell."""
    return _ms(one.critical_ms) or ("·" if one.state is DeliveryState.done else "")


def webhooks_table(found: Webhooks) -> RenderableType:
    """A party's endpoint, and what it was told, a line an event."""
    gone = f", disabled since {clock(found.disabled_at)}" if found.disabled_at else ""
    place = Text(f"{found.url}{gone}" if found.url else "it has no endpoint", WARN if gone or not found.url else "")
    made = table("event", "type", "time", "tries", "last answer", "taken")
    for one in found.events:
        made.add_row(
            Text(str(one.event_id), "bold"),
            Text(one.type),
            Text(clock(one.happened_at)),
            Text(str(one.tries)),
            Text("" if one.last_status is None else str(one.last_status)),
            Text(clock(one.delivered_at) if one.delivered_at else "no", GOOD if one.delivered_at else BAD),
        )
    return Lines(place, Text(f"{found.undelivered:,} events are not taken"), made)


def acts_table(found: Sequence[Act]) -> RenderableType:
    """The audit, a line an act."""
    if not found:
        return Text("nobody has done anything yet")
    made = table("time", "operator", "role", "via", "act", "on", "reason", "result")
    for one in found:
        result = ", ".join(
            f"{name} {value}" for name, value in one.result.items() if name not in {"redrive_id", "shown"}
        )
        made.add_row(
            Text(clock(one.at)),
            Text(one.operator, "bold"),
            Text(one.role.value),
            Text(one.via, QUIET),
            Text(one.kind.value),
            Text(_on(one)),
            Text(one.reason, "italic"),
            Text(result),
        )
    return made


def _on(act: Act) -> str:
    """A command says what it is about by few; a redrive or a reveal has many, and tells the first."""
    if act.kind is ActKind.command:
        return "\n".join(act.targets)
    return act.targets[0] + (f" … {len(act.targets):,}" if len(act.targets) > 1 else "") if act.targets else ""


def operators_table(found: Sequence[Operator]) -> RenderableType:
    """Operators there are and were."""
    if not found:
        return Text("there are none; `operators add` makes one")
    made = table("name", "role", "since", "revoked")
    for one in found:
        style = QUIET if one.revoked_at else "bold"
        revoked = clock(one.revoked_at) if one.revoked_at else ""
        made.add_row(Text(one.name, style), Text(one.role.value), Text(clock(one.created_at)), Text(revoked, WARN))
    return made


def connection_steps(tested: ConnectionTested) -> RenderableType:
    """What was tried, step by step."""
    made = table("", "step", "answer", "took")
    for step in tested.steps:
        mark = Text("✓", GOOD) if step.ok else Text("✗", BAD)
        made.add_row(mark, Text(step.name), Text(step.detail), Text(_ms(step.took_ms or None)))
    return made


def short(type_name: str) -> str:
    """A type without what all types begin with."""
    return type_name.removeprefix(TYPE_PREFIX)


def clock(instant: datetime) -> str:
    """A time in Japan."""
    return instant.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A time that passes, in at most two figures and a unit, or a few more."""
    for limit, unit_s, unit in ((MINUTE_S, 1.0, "s"), (HOUR_S, MINUTE_S, "min"), (DAY_S, HOUR_S, "h")):
        if seconds < limit:
            return f"{seconds * SECOND_MS:.0f} ms" if seconds < 1 else f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds / DAY_S:.0f} d"


def _ms(ms: float | None) -> str:
    return "" if ms is None else span(ms / SECOND_MS)


def _count(number: int, style: str) -> Text:
    return Text(f"{number:,}" if number else "", style)
