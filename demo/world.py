"""The world of the story: schemes, citizens and a partner's month of transfers, read from three CSV files."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from hub.clock import JAPAN
from hub.errors import PermanentError

NAMESPACE: Final = UUID("6d796b65-7968-5562-8d65-6d6f00000000")
DATA: Final = Path(__file__).parent
SCHEMES_FILE: Final = "world-schemes.csv"
CITIZENS_FILE: Final = "world-citizens.csv"
TRANSFERS_PATTERN: Final = "airline-transfers-*.csv"
OPENING_HOUR: Final = 9


class WorldError(PermanentError):
    """The folder does not hold a world: world-schemes.csv, world-citizens.csv and one airline-transfers-*.csv."""


def made_up_id(kind: str, name: str) -> UUID:
    """The same id for the same made-up thing in every run."""
    return uuid5(NAMESPACE, f"{kind}:{name}")


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """A row of world-schemes.csv."""

    lg_code: str
    point_name: str
    expiry_rule: str


@dataclass(frozen=True, slots=True)
class CitizenRow:
    """A row of world-citizens.csv."""

    mykey_id: str
    link_id: str
    name: str
    mail: str
    base_lg_code: str
    wants_mail: bool

    @property
    def citizen_id(self) -> UUID:
        """The citizen's id."""
        return made_up_id("citizen", self.mykey_id)


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A row of the partner's file, as it is."""

    transfer_id: str
    link_id: str
    points: str
    to: str
    occurred_at: str


class World:
    """The three files of a folder."""

    def __init__(self, folder: Path = DATA) -> None:
        found = sorted(folder.glob(TRANSFERS_PATTERN))
        if len(found) != 1 or not (folder / SCHEMES_FILE).is_file() or not (folder / CITIZENS_FILE).is_file():
            raise WorldError(str(folder))
        self.transfers_file = found[0]
        self.partner_id = made_up_id("partner", "airline")
        self.schemes = [
            SchemeRow(row["lg_code"], row["point_name"], row["expiry_rule"]) for row in _rows(folder / SCHEMES_FILE)
        ]
        self.citizens = [
            CitizenRow(
                row["mykey_id"],
                row["airline_link_id"],
                row["name"],
                row["mail"],
                row["base_lg_code"],
                row["mail_on_grant"] == "yes",
            )
            for row in _rows(folder / CITIZENS_FILE)
        ]

    @cached_property
    def transfers(self) -> list[TransferRow]:
        """The partner's rows, in the order of the file."""
        return [
            TransferRow(row["transfer_id"], row["link_id"], row["points"], row["to"], row["occurred_at"])
            for row in _rows(self.transfers_file)
        ]

    @cached_property
    def by_link(self) -> dict[str, CitizenRow]:
        """Link id → citizen."""
        return {citizen.link_id: citizen for citizen in self.citizens}

    def opening(self) -> datetime:
        """When the story begins: nine o'clock on the first day of the month after the last transfer."""
        last = max(datetime.fromisoformat(row.occurred_at) for row in self.transfers).astimezone(JAPAN)
        year, month = divmod(last.year * 12 + last.month, 12)
        return datetime(year, month + 1, 1, OPENING_HOUR, tzinfo=JAPAN)


def store_id_of(lg_code: str) -> UUID:
    """The made-up store of a municipality."""
    return made_up_id("store", lg_code)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, strict=True)
