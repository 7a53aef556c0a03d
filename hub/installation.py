"""`mykey-hub secrets <folder>`: what an installation keeps secret, made once, as far as it is missing.

A file for each secret, so that each process is given its own and no other: passwords and addresses of the database
and of the broker for each installed component, the hub's secret key, the broker's definitions, and a certificate
authority with the servers' certificates. The folder is closed to all but its owner; the files in it may be read by
whoever they are handed to, because a container's user is nobody the host knows.
"""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from hub.authority import OTHERS_MAY_READ, Authority
from hub.broker_definitions import VHOST, definitions
from hub.embedded_postgres import DATABASE, OWNER_ROLE
from hub.errors import PermanentError
from hub.installed import installed

PASSWORD_BYTES: Final = 24
KEY_BYTES: Final = 32
VALID: Final = timedelta(days=1_825)
LOCAL: Final = ("localhost", "127.0.0.1")
BACKUP_ROLE: Final = "mykey_backup"
BACKUP_DATABASE: Final = "postgres"
"""What it does concerns the whole server; grants of functions in the hub's own database would get into its dumps."""


class DifferentPasswordsError(PermanentError):
    """A password and the URL that it belongs into differ."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be said of the installation; the defaults are those of compose.yaml."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--postgres", default="postgres:5432", metavar="HOST:PORT", help="as processes reach it")
    parser.add_argument("--rabbitmq", default="rabbitmq:5671", metavar="HOST:PORT", help="as processes reach it")
    parser.add_argument("--public", default="localhost", metavar="HOST", help="as the world reaches the web server")
    parser.add_argument(
        "--books",
        action="append",
        default=[],
        metavar="HOST",
        help="another PostgreSQL, with partitions (docs/scaling.md)",
    )
    parser.add_argument(
        "--ca-file", default="/run/secrets/ca.pem", metavar="PATH", help="where processes find `ca.pem`"
    )


def make(options: argparse.Namespace) -> int:
    """Write what is missing; returns 0.

    Raises what Authority does, and DifferentPasswordsError.
    """
    folder: Path = options.folder
    authority = Authority(folder, VALID)
    servers = {"postgres": options.postgres, "rabbitmq": options.rabbitmq, "public": options.public}
    servers |= {f"books-{host}": host for host in options.books}
    for name, place in servers.items():
        if not authority.has(name):
            authority.issue(name, place.partition(":")[0], *LOCAL, mode=OTHERS_MAY_READ)
    _kept(folder / "secret_key", lambda: secrets.token_hex(KEY_BYTES))
    _kept(folder / "superuser_password", _password)
    for of_mail in ("smtp_password", "dkim.key"):  # put there by hand, empty where there is none
        _kept(folder / of_mail, str)
    _password_and_url(folder, "owner", OWNER_ROLE, DATABASE, options)
    _password_and_url(folder, "backup", BACKUP_ROLE, BACKUP_DATABASE, options)
    _kept(folder / "database_url", lambda: _database_url(OWNER_ROLE, DATABASE, options))
    components = [one.name for one in installed()]
    roles = {name: _own_password(folder / f"{name}_role_passwords", name) for name in components}
    _written(folder / "role_passwords", json.dumps(roles))
    broker = {name: _broker_password(folder / f"{name}_amqp_url", name, options) for name in components}
    _written(folder / "definitions.json", json.dumps(definitions(broker), indent=2))
    return 0


def _password_and_url(folder: Path, name: str, role: str, database: str, options: argparse.Namespace) -> None:
    """`<name>_password` and `<name>_url`, made together where either is gone.

    Raises DifferentPasswordsError.
    """
    password, url = folder / f"{name}_password", folder / f"{name}_url"
    if password.exists() and url.exists():
        named = urlsplit(url.read_text(encoding="utf-8").strip()).password or ""
        if unquote(named) != password.read_text(encoding="utf-8").strip():
            raise DifferentPasswordsError(
                f"{url} holds another password than {password.name}: mend the one that PostgreSQL does not know, or"
                " delete both to have them made anew"
            )
        return
    if password.exists() or url.exists():
        sys.stderr.write(
            f"{password.name} and {url.name} are made anew: tell PostgreSQL, as a superuser: ALTER ROLE {role} PASSWORD"
            f" '<what is in {password}>'\n"
        )
    # Whoever is killed on the way leaves one of the two, and they are made again.
    url.unlink(missing_ok=True)
    made = _password()
    _written(password, made)
    _written(url, _database_url(f"{role}:{made}", database, options))


def _database_url(login: str, database: str, options: argparse.Namespace) -> str:
    """`login` is a role and its password; without one, a component puts its own role and password in its place."""
    checked = f"sslmode=verify-full&sslrootcert={quote(options.ca_file, safe='/')}"
    return f"postgresql://{login}@{options.postgres}/{database}?{checked}"


def _own_password(path: Path, component: str) -> str:
    found: dict[str, str] = json.loads(_kept(path, lambda: json.dumps({component: _password()})))
    return found[component]


def _broker_password(path: Path, component: str, options: argparse.Namespace) -> str:
    url = _kept(path, lambda: f"amqps://{component}:{_password()}@{options.rabbitmq}/{VHOST}")
    return url.partition("@")[0].rpartition(":")[2]


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _kept(path: Path, make_text: Callable[[], str]) -> str:
    """What the file holds; made at first."""
    if not path.exists():
        _written(path, make_text())
    return path.read_text(encoding="utf-8")


def _written(path: Path, text: str) -> None:
    """In one piece or not at all."""
    work = path.with_name(f".{path.name}.new")
    work.unlink(missing_ok=True)
    with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OTHERS_MAY_READ), "w") as file:
        os.fchmod(file.fileno(), OTHERS_MAY_READ)
        file.write(text)
    work.replace(path)
