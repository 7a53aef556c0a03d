"""The database's roles: the owner migrates; each component connects as a role of its own.

`mykey_<component>` may log in and may do what its component's SQL files grant, nothing else. All of them
are members of `mykey_component`, to which the hub's own SQL files grant what every component needs of the
message store.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr

from hub.errors import PermanentError
from hub.settings import Settings

GROUP_ROLE = "mykey_component"

_COMPONENT_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_SCRAM_ITERATIONS = 4096
_SCRAM_SALT_BYTES = 16

_CREATE_ROLE_SQL = """
DO $$
DECLARE
  role_name text := current_setting('mykey.role_name');
  may_log_in boolean := current_setting('mykey.may_log_in')::boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
    EXECUTE format(
      'CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION %s',
      role_name, CASE WHEN may_log_in THEN 'LOGIN' ELSE 'NOLOGIN' END);
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END $$
"""

_GRANT_TO_ROLE_SQL = """
DO $$
DECLARE
  role_name text := current_setting('mykey.role_name');
  group_name text := current_setting('mykey.group_name');
BEGIN
  IF NOT pg_has_role(role_name, group_name, 'MEMBER') THEN
    EXECUTE format('GRANT %I TO %I', group_name, role_name);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
END $$
"""

_SET_VERIFIER_SQL = """
DO $$
BEGIN
  EXECUTE format('ALTER ROLE %I PASSWORD %L',
    current_setting('mykey.role_name'), current_setting('mykey.password_verifier'));
END $$
"""

# Roles belong to the whole server, advisory locks to one database. To comment on a role locks it for the whole server
# until the transaction ends, so that migrations of several databases do their roles one after another.
_ONE_AT_A_TIME_SQL = """
COMMENT ON ROLE mykey_component IS 'What every component of MyKey Hub may do; each has a role of its own besides.'
"""

_SET_LOCAL_SQL = "SELECT set_config($1, $2, true)"


class MissingRolePasswordError(PermanentError):
    """The server asks for passwords, and the settings have none for this component's role."""


def role_of(component: str) -> str:
    """The name of a component's database role.

    Raises:
        ValueError: no component can have this name.
    """
    role = f"mykey_{component}"
    if _COMPONENT_NAME.fullmatch(component) is None or role == GROUP_ROLE:
        raise ValueError(f"{component!r} cannot be the name of a component")
    return role


def component_url(owner_url: str, component: str, settings: Settings) -> str:
    """The URL by which a component connects: the owner's server and database, its own role.

    Over a Unix socket the server knows us by our account and no password is needed.

    Raises:
        MissingRolePasswordError: the server is reached over the network and `role_passwords` lacks the
        component.
    """
    parts = urlsplit(owner_url)
    password = settings.role_passwords.get(component)
    if password is None and not _is_local(owner_url):
        raise MissingRolePasswordError(
            f"set MYKEY_ROLE_PASSWORDS to a JSON object with a password for {component!r}, and migrate"
        )
    secret = "" if password is None else f":{quote(password.get_secret_value(), safe='')}"
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_of(component)}{secret}@{place}"))


def owner_url(url: str, own: str) -> str:
    """Another database's URL for its owner, who has the password there that it has in the hub's own.

    So the setting that names the database, which every process is given, holds no password. A URL with a password, or
    with another role, is left as it is.
    """
    there, here = urlsplit(url), urlsplit(own)
    if here.password is None or there.password is not None or there.username != here.username:
        return url
    login, place = here.netloc.rpartition("@")[0], there.netloc.rpartition("@")[2]
    return urlunsplit(there._replace(netloc=f"{login}@{place}"))


async def ensure_roles(
    connection: asyncpg.Connection, components: list[str], passwords: Mapping[str, SecretStr]
) -> None:
    """Make the group and every component's role where they are missing, and set the passwords given.

    Safe beside another process doing the same, in this database or another of the cluster.
    """
    async with connection.transaction():
        await _ensure_role(connection, GROUP_ROLE, may_log_in=False)
        await connection.execute(_ONE_AT_A_TIME_SQL)
        for component in components:
            role = role_of(component)
            await _ensure_role(connection, role, may_log_in=True)
            await _execute(connection, _GRANT_TO_ROLE_SQL, role_name=role, group_name=GROUP_ROLE)
            if component in passwords:
                verifier = scram_verifier(passwords[component].get_secret_value(), os.urandom(_SCRAM_SALT_BYTES))
                await _execute(connection, _SET_VERIFIER_SQL, role_name=role, password_verifier=verifier)


def scram_verifier(password: str, salt: bytes) -> str:
    """What the server keeps of a password (RFC 5803), so that the password itself never reaches its logs.

    Args:
        password: printable ASCII, which SASLprep leaves as it is.
        salt: 16 random bytes.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


async def _ensure_role(connection: asyncpg.Connection, role: str, *, may_log_in: bool) -> None:
    await _execute(connection, _CREATE_ROLE_SQL, role_name=role, may_log_in="true" if may_log_in else "false")


async def _execute(connection: asyncpg.Connection, sql: str, **values: str) -> None:
    """Run a statement that takes its values as `mykey.*` settings, because DDL takes no parameters."""
    for name, value in values.items():
        await connection.execute(_SET_LOCAL_SQL, f"mykey.{name}", value)
    await connection.execute(sql)


def _is_local(url: str) -> bool:
    """Whether the URL names a Unix socket's folder as its host."""
    parts = urlsplit(url)
    hosts = parse_qs(parts.query).get("host", [parts.hostname or ""])
    return all(host.startswith("/") for host in hosts)
