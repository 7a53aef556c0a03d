"""Ids can be copied out of what commands print, at 80 columns and out of a pipe."""

import io
import subprocess
import sys
from uuid import UUID

import pytest
from rich.console import Console

from hub import printing
from hub.printing import Listing

ONE, OTHER = str(UUID(int=0xA1)), str(UUID(int=0xB2))


def shown(listing: Listing, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(listing)
    return console.export_text().splitlines()


def test_ids_are_whole_and_the_rest_folds() -> None:
    listing = Listing("id", "name", "about", whole={"id"})
    listing.add_row(ONE, "somebody", "a long text about somebody " * 4)
    lines = shown(listing, 80)

    assert any(ONE in line and "somebody" in line for line in lines)
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert "…" not in "".join(lines)


def test_where_the_ids_leave_no_room_it_is_a_block_for_each_row() -> None:
    listing = Listing("id", "time", "in\nwork", "subject", "note", whole={"id", "subject"})
    for number in ("1", "2"):
        listing.add_row(ONE, "2017-10-02 09:30:00", number, OTHER, "")
    lines = shown(listing, 80)

    assert [line.split() for line in lines[:4]] == [
        ["id", ONE],
        ["time", "2017-10-02", "09:30:00"],
        ["in", "work", "1"],
        ["subject", OTHER],
    ]
    assert len(lines) == 9
    assert any(ONE in line and OTHER in line for line in shown(listing, 120)), "a table, where there is room"


def test_headings_give_way_before_figures_do() -> None:
    headings = [f"heading{n}" for n in range(8)]
    listing = Listing("name", *headings, whole={"name"}, right=set(headings), narrowest=4, gap=1)
    listing.add_row("component", *["123,456"] * 8)
    listing.add_row("other", *["12 min"] * 8)
    lines = shown(listing, 75)

    assert any(line.split() == ["component", *["123,456"] * 8] for line in lines)
    assert all(len(line) <= 75 for line in lines)


def test_nothing_to_list_is_its_headings() -> None:
    assert "id" in shown(Listing("id", whole={"id"}), 80)[0]


def test_a_pipe_has_no_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    text = "not broken " * 40
    printing.console().print(text)
    assert capsys.readouterr().out.splitlines() == [text]

    monkeypatch.setenv("COLUMNS", "80")
    printing.console().print(text)
    assert len(capsys.readouterr().out.splitlines()) > 1, "who says how wide it is, is heard"


def test_a_terminal_has_the_width_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    program = (
        "import os, pty, subprocess, sys, termios;"
        "ours, theirs = pty.openpty(); termios.tcsetwinsize(theirs, (24, 91));"
        "print(subprocess.run([sys.executable, '-c', 'from hub import printing; import sys;"
        " sys.stderr.write(str(printing.console().width))'], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,"
        " text=True).stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "91"
