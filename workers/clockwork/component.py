"""The clockwork as a component: one job that ticks, one question."""

from hub.component import Component, Context, Job
from schemas.clockwork import ClockworkDoneOf
from workers.clockwork.work import TICK_S, Clockwork, done_of


def component(context: Context) -> Component:
    """Builds the clockwork on the given clock."""
    clockwork = Clockwork(context)
    return Component(
        name="clockwork",
        answers={ClockworkDoneOf: done_of},
        jobs=(Job("tick", TICK_S, clockwork.tick),),
    )
