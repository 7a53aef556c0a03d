"""The clockwork as a component: the day's work, holds, overdue merges; one question."""

from hub.component import Component, Context, Job
from schemas.clockwork import ClockworkDoneOf
from workers.clockwork.holds import HOLDS_EVERY_S, MERGES_EVERY_S, Holds
from workers.clockwork.work import TICK_S, Clockwork, done_of


def component(context: Context) -> Component:
    """Builds the clockwork on the given clock."""
    clockwork, holds = Clockwork(context), Holds(context)
    return Component(
        name="clockwork",
        answers={ClockworkDoneOf: done_of},
        jobs=(
            Job("tick", TICK_S, clockwork.tick),
            Job("holds", HOLDS_EVERY_S, holds.expire),
            Job("overdue_merges", MERGES_EVERY_S, holds.tell_overdue),
        ),
    )
