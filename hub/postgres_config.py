"""What the embedded PostgreSQL is told: who may connect, where it listens, how it uses the machine."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hub.accounts import account_name
from hub.postgres_programs import Account

IMMEDIATE_SHUTDOWN = signal.SIGQUIT

_SHARED_BUFFERS_LIMIT_MB = 4096
_SHARED_BUFFERS_LEAST_MB = 32
_SHARED_BUFFERS_SHARE = 4
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Place(NamedTuple):
    """Where a server lives: its folder, its socket's folder, the account that runs it if it is not us."""

    folder: Path
    socket_folder: Path
    account: Account | None


def tuned_settings(*, has_lz4: bool) -> dict[str, str]:
    """Settings for a ledger that commits large groups often, for this machine; durability untouched."""
    return {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": f"{_shared_buffers_mb()}MB",
        "max_connections": "200",
        # Branches of transactions over several databases (hub/branches.py), where this is one of them.
        "max_prepared_transactions": "64",
        "wal_compression": "lz4" if has_lz4 else "off",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        # Errors are logged without the rows and statements that caused them: these may be personal data.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
    }


def write(place: Place, settings: Mapping[str, str], owner_role: str) -> None:
    """Write the three configuration files into the server's folder."""
    placed = {
        "data_directory": str(place.folder / "data"),
        "hba_file": str(place.folder / "pg_hba.conf"),
        "ident_file": str(place.folder / "pg_ident.conf"),
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": f'"{place.socket_folder}"',
        "unix_socket_permissions": "0700",
    }
    lines = [f"{name} = {_quoted(value)}" for name, value in {**placed, **settings}.items()]
    lines.append(f"include_if_exists = {_quoted(str(place.folder / 'local.conf'))}")
    _write_file(place, "postgresql.conf", lines)
    # `all` databases are not `replication`, by which pg_basebackup connects.
    _write_file(place, "pg_hba.conf", ["local all all peer map=mykey", "local replication all peer map=mykey"])
    callers = [(account_name(os.geteuid()), "all")]
    if place.account is not None:
        callers.append((place.account.name, owner_role))
    _write_file(place, "pg_ident.conf", [f'mykey "{caller}" {role}' for caller, role in callers])


def _write_file(place: Place, name: str, lines: list[str]) -> None:
    """Replace a file at one stroke; the server's account may read it, nobody else."""
    work = place.folder / f".{name}.new"
    work.write_text("".join(f"{line}\n" for line in ["# Written anew at every start.", *lines]))
    work.chmod(0o640)
    if place.account is not None:
        os.chown(work, 0, place.account.gid)
    work.replace(place.folder / name)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _shared_buffers_mb() -> int:
    total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        total_bytes = min(total_bytes, int(_CONTAINER_LIMIT.read_text()))
    share_mb = total_bytes // (1024 * 1024) // _SHARED_BUFFERS_SHARE
    return max(_SHARED_BUFFERS_LEAST_MB, min(_SHARED_BUFFERS_LIMIT_MB, share_mb))
