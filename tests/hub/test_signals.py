"""Signals: a hint after the commit, to all processes that host a component."""

from dataclasses import replace

import pytest

from hub.component import Component, Context, Installed
from tests.hub.parts import at_work, fake
from tests.waiting import wait_until


def listening(name: str, heard: set[str]) -> Installed:
    """A component that writes down what is signalled to it."""
    built = fake(name)

    def build(context: Context) -> Component:
        return replace(built.factory(context), signalled=heard.update)

    return Installed(name, build)


async def test_a_signal_is_heard_by_this_component_in_all_processes_once_it_is_committed(database_url: str) -> None:
    here, there, other = set[str](), set[str](), set[str]()
    async with (
        at_work(database_url, listening("mail", here)) as process,
        at_work(database_url, listening("ledger", other), listening("mail", there)),
    ):
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction that is rolled back
            async with process.database_of("mail").transaction() as tx:
                tx.signal("undone")
                raise ZeroDivisionError
        async with process.database_of("mail").transaction() as tx:
            tx.signal("look")
            assert not here
        assert here == {"look"}

        async def heard() -> bool:
            # A hint may be lost, as long as the other process does not listen yet: so it is said again.
            async with process.database_of("mail").transaction() as tx:
                tx.signal("look")
            return bool(there)

        await wait_until(heard, every_s=0.1)
        assert (there, other) == ({"look"}, set())


async def test_a_signal_is_a_short_word(database_url: str) -> None:
    async with at_work(database_url, fake("mail")) as process, process.database_of("mail").transaction() as tx:
        for name in ("", "two words", "x" * 33, "長"):
            with pytest.raises(ValueError, match=name or "^$"):
                tx.signal(name)
