"""How a street is set up: a folder of its own with `street.toml`, written by people, and the program's own store."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

CONFIG_FILE: Final = "street.toml"
CONFIG_LIMIT_BYTES: Final = 64 * 1024
ENCODING: Final = "utf-8-sig"
"""UTF-8; some editors put a byte order mark before it."""
MODES: Final = {"aes-128-cbc": 16, "aes-128-cbc-hmac-sha256": 16, "aes-128-gcm": 16, "aes-256-gcm": 32}
"""How files are encrypted → the length of the shared key."""
_MAC_KEY_LEAST_BYTES: Final = 32
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "mode": tuple(MODES),
    "delimiter": (",", ";", "|", "\t"),
    "line_end": ("\r\n", "\n", ""),
    "encoding": ("utf-8", "cp932", "utf-16-le"),
    "hash_joining": ("delimited", "bare"),
    "unknown_members": ("open", "refuse"),
}


class BadSettingsError(Exception):
    """`street.toml` is missing, cannot be read, or has a setting that is not as it must be."""


@dataclass(frozen=True, slots=True)
class Key:
    """A shared key; `valid_to` is the first moment at which it is valid no longer."""

    key_id: str
    valid_from: datetime
    valid_to: datetime | None
    cipher_key: bytes = field(repr=False)
    secret: str = field(default="", repr=False)
    mac_key: bytes = field(default=b"", repr=False)

    def is_valid(self, at: datetime) -> bool:
        """Whether it is valid then."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `street.toml` says; the defaults are v1 of docs/streets.md.

    `drop_folder` is where merge files come in and are answered; `unknown_members`: whether points of an ID that the
    store does not have open an account for it, or are refused. `hub_key` verifies v2 files, PEM.
    """

    street: str
    drop_folder: Path
    store: Path
    keys: tuple[Key, ...]
    mode: str = "aes-128-cbc"
    delimiter: str = ","
    line_end: str = "\r\n"
    encoding: str = "utf-8"
    hash_joining: str = "delimited"
    file_name: str = "merge-{street}-{number}.mpf"
    unknown_members: str = "open"
    ahead_limit: timedelta = timedelta(minutes=10)
    hub_key: str = ""

    def __post_init__(self) -> None:
        """Raises BadSettingsError."""
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise BadSettingsError(f"{name} is one of {', '.join(map(repr, choices))}")
        for key in self.keys:
            if len(key.cipher_key) != MODES[self.mode]:
                raise BadSettingsError(f"key {key.key_id}: {self.mode} takes {MODES[self.mode]} bytes")
            if self.mode == "aes-128-cbc-hmac-sha256" and len(key.mac_key) < _MAC_KEY_LEAST_BYTES:
                raise BadSettingsError(f"key {key.key_id} needs a mac_key of {_MAC_KEY_LEAST_BYTES} bytes")
        if not self.keys:
            raise BadSettingsError("there is no key")
        if self.is_v2 and not self.hub_key:
            raise BadSettingsError("v2 files are verified with hub_key")

    @property
    def is_v2(self) -> bool:
        """Whether the street takes v2 files; it then takes no others."""
        return self.mode.endswith("-gcm")

    def name_of(self, key: Key, number: str) -> str:
        """How the file of this number is named."""
        return self.file_name.format(street=self.street, key=key.key_id, number=number)


def load(folder: Path) -> Settings:
    """The settings of this folder. Raises BadSettingsError."""
    path = folder / CONFIG_FILE
    try:
        with path.open("rb") as file:
            found = tomllib.loads(file.read(CONFIG_LIMIT_BYTES).decode(ENCODING))
        return made(found, folder)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadSettingsError(f"{path}: {type(error).__name__}: {error}") from error


def made(found: dict[str, Any], folder: Path) -> Settings:
    """Settings of what stands in the file; its paths are from the folder. Raises as `load` says."""
    taken = dict(found)
    minutes = taken.pop("ahead_limit_minutes", 10)
    return Settings(
        street=taken.pop("street"),
        drop_folder=folder / taken.pop("drop_folder"),
        store=folder / taken.pop("store", "points.sqlite3"),
        keys=tuple(_key(one) for one in taken.pop("keys")),
        ahead_limit=timedelta(minutes=minutes),
        **taken,
    )


def _key(found: dict[str, Any]) -> Key:
    return Key(
        key_id=found["id"],
        valid_from=_aware(found["valid_from"]),
        valid_to=_aware(found["valid_to"]) if "valid_to" in found else None,
        cipher_key=bytes.fromhex(found["key"]),
        secret=found.get("secret", ""),
        mac_key=bytes.fromhex(found.get("mac_key", "")),
    )


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time names its offset: 2017-04-01T00:00:00+09:00")
    return at
