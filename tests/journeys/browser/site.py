"""The portal as `make run` starts it: the demo's process, with a small world and its people with virtual cards."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.peers import CHECKOUT
from demo.ports import free_port
from demo.world import CITIZENS_FILE, DATA, SCHEMES_FILE, World

CITIZENS: Final = 30
TRANSFERS: Final = 20
START_LIMIT_S: Final = 90.0
STOP_LIMIT_S: Final = 20.0
UP: Final = "It stays up"
PERSON: Final = re.compile(r"│ (DEMO\d{4}) +│ (\S+) +│")


@dataclass(frozen=True)
class Site:
    """Where it is, and who can log in: MyKey ID → password."""

    url: str
    people: dict[str, str]


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """The demo, ready; ended when the block is left.

    Raises TimeoutError: it did not come up; what it said is in the message.
    """
    data, said = folder / "world", folder / "said.txt"
    small_world(data)
    port = free_port()
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "demo", "--quick", "--port", str(port), "--data", str(data)],
            cwd=CHECKOUT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200"},
        )
    try:
        text = _until_up(process, said)
        yield Site(f"http://127.0.0.1:{port}", dict(PERSON.findall(text)))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_up(process: "subprocess.Popen[bytes]", said: Path) -> str:
    give_up = time.monotonic() + START_LIMIT_S
    while True:
        text = said.read_text("utf-8", "replace")
        if UP in text:
            return text
        if process.poll() is not None or time.monotonic() > give_up:
            raise TimeoutError(text[-4000:])
        time.sleep(0.05)


def small_world(folder: Path) -> None:
    """The demo's world with a few of its citizens and transfers."""
    folder.mkdir()
    world = World()
    (folder / SCHEMES_FILE).write_bytes((DATA / SCHEMES_FILE).read_bytes())
    links = {citizen.link_id for citizen in world.citizens[:CITIZENS]}
    _some_rows(DATA / CITIZENS_FILE, folder / CITIZENS_FILE, "airline_link_id", links, CITIZENS)
    _some_rows(world.transfers_file, folder / world.transfers_file.name, "link_id", links, TRANSFERS)


def _some_rows(source: Path, target: Path, column: str, wanted: set[str], limit: int) -> None:
    with source.open(encoding="utf-8-sig", newline="") as file, target.open("w", encoding="utf-8", newline="") as out:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(out, reader.fieldnames or [])
        writer.writeheader()
        writer.writerows([row for row in reader if row[column] in wanted][:limit])
