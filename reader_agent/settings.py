"""How an agent is set up: a folder of its own, with `agent.toml` written by people and the rest by the agent."""

import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

CONFIG_FILE: Final = "agent.toml"
CONFIG_LIMIT_BYTES: Final = 64 * 1024
ENCODING: Final = "utf-8-sig"
"""UTF-8; some editors put a byte order mark before it."""
PAGE_PORT: Final = 23_700
"""Below 32768: no other program gets it by chance for a connection of its own."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class BadSettingsError(Exception):
    """`agent.toml` is missing, cannot be read, or has a setting that is not as it must be."""


class Settings(BaseModel):
    """What `agent.toml` says.

    Attributes:
        hub_url: where the hub is, `https://hub.example.jp`; plain `http://` on this machine only.
        hub_ca_file: certificates in PEM that the hub's is checked against; None takes the system's.
        page_port: where the agent's own page is, on 127.0.0.1.
        notify_folder: where the method `file` puts numbers; None where this terminal has none.
        merge_folder: where merge files for a shopping street's program are put; None where this terminal has none.
        street_api: whether a street's own software on this machine may pair with the agent and ask whose card is in.
        line_device: a reader that gives one card number a line, such as /dev/ttyACM0; None is none.
        log_level: the least important level that is logged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hub_url: str
    hub_ca_file: Path | None = None
    page_port: Annotated[int, Field(ge=1024, lt=32_768)] = PAGE_PORT
    notify_folder: Path | None = None
    merge_folder: Path | None = None
    street_api: bool = False
    line_device: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("hub_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        """Scheme, host and port alone: the very text that both sides sign."""
        parts = urlsplit(value)
        allowed = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if not allowed or parts.hostname is None or value != f"{parts.scheme}://{parts.netloc}" or "@" in value:
            raise ValueError("give https://host or https://host:port, without a path")
        return value


def default_folder() -> Path:
    """Where the agent keeps what is its own, unless MYKEY_AGENT_DIR or systemd (STATE_DIRECTORY) says otherwise."""
    for name in ("MYKEY_AGENT_DIR", "STATE_DIRECTORY"):
        if os.environ.get(name):
            return Path(os.environ[name])
    if sys.platform == "win32":
        return Path(os.environ["LOCALAPPDATA"]) / "MyKeyAgent"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "MyKeyAgent"
    data_home = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data_home) if Path(data_home).is_absolute() else Path.home() / ".local" / "share"
    return base / "mykey-agent"


def load(folder: Path) -> Settings:
    """The folder's settings, or those of systemd's CONFIGURATION_DIRECTORY. Raises BadSettingsError."""
    path = Path(os.environ.get("CONFIGURATION_DIRECTORY") or folder) / CONFIG_FILE
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_LIMIT_BYTES).decode(ENCODING)
        return Settings.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettingsError(f"{path}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadSettingsError(f"{path}: {faults}") from error
