"""A street with its drop folder, and the hub that makes its files."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from connectors.street.layout import Fields, transaction_number
from schemas.streets import CipherMode, MergeKey, MergeLayout
from street_software.settings import Key, Settings
from street_software.store import Store
from street_software.taking import Taken, Taking
from tests.connectors.street.vectors import SIGNER, STREET, TERMINAL, key_of, sealing

NOW: Final = datetime(2017, 10, 2, 1, 15, 30, tzinfo=UTC)


def street_key(key: MergeKey) -> Key:
    """The key as the street has it."""
    return Key(key.key_id, key.valid_from, key.valid_to, key.cipher_key, key.secret, key.mac_key or b"")


def settings_of(layout: MergeLayout, folder: Path, **changes: Any) -> Settings:  # noqa: ANN401 - of Settings
    """The street's own settings, as they go with the hub's."""
    told = layout.model_dump(mode="json", exclude={"id_kind"})
    made = Settings(
        STREET, folder / "drop", folder / "points.sqlite3", (street_key(key_of(layout.mode)),),
        hub_key=SIGNER.verifier.pem, **told,
    )  # fmt: skip
    return replace(made, **changes)


@dataclass
class Shop:
    """The street's program at work, begun anew for each run as after a power cut."""

    settings: Settings
    layout: MergeLayout
    now: datetime = NOW

    @classmethod
    def at(cls, folder: Path, mode: CipherMode = CipherMode.cbc, **changes: Any) -> "Shop":  # noqa: ANN401
        """One with an empty drop folder."""
        layout = MergeLayout(mode=mode)
        shop = cls(settings_of(layout, folder, **changes), layout)
        shop.drop.mkdir(parents=True)
        return shop

    @property
    def drop(self) -> Path:
        """Where files come in."""
        return self.settings.drop_folder

    def merge(self, serial: int, points: int = 300, member_id: str = "520625", **changes: Any) -> Path:  # noqa: ANN401
        """Drop a file as the hub makes it, at once; `key` and the like say how it is made."""
        made = sealing(self.layout, **changes)
        number = transaction_number(self.now, serial)
        path = self.drop / made.name_of(number)
        path.write_bytes(made.file_of(Fields(member_id, points, number), TERMINAL))
        return path

    def run(self) -> Taken:
        """「合算ポイント受取」."""
        store = self.store()
        try:
            return Taking(self.settings, store, lambda: self.now).run()
        finally:
            store.close()

    def store(self) -> Store:
        """To be closed."""
        return Store(self.settings.store, opens_accounts=self.settings.unknown_members == "open")

    def points(self, member_id: str = "520625") -> int | None:
        """What the member has."""
        store = self.store()
        try:
            return store.points_of(member_id)
        finally:
            store.close()

    def left(self, folder: str = "") -> list[str]:
        """The names in the drop folder or a folder of it, folders left out."""
        where = self.drop / folder
        return sorted(path.name for path in where.iterdir() if not path.is_dir()) if where.exists() else []

    def reason(self, path: Path) -> str:
        """Why a file was put into quarantine."""
        return (self.drop / "quarantine" / f"{path.name}.reason").read_text(encoding="utf-8")

    def later(self, **after: float) -> None:
        """The clock goes on."""
        self.now += timedelta(**after)
