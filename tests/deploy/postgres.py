"""PostgreSQL as deploy/postgres configures it: passwords, an owner that is no superuser, a role for backups.

All but TLS: the tests' PostgreSQL is built without. Its rules are those of TLS connections, for such as have none.
"""

import os
import re
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from demo.ports import free_port
from hub import postgres_config, postgres_folders
from hub.embedded_postgres import EmbeddedPostgres
from hub.postgres_config import Place
from hub.postgres_programs import find_programs
from tests.deploy.parts import DEPLOY

HOST: Final = "127.0.0.1"
FOLDER: Final = DEPLOY / "postgres"
SUPERUSER: Final = "postgres"
IN_CONTAINER: Final = "/run/secrets"
LIMIT_S: Final = 60.0
STATE_LINE: Final = 8
"""Of the server's own note, `postmaster.pid`."""


class DeployedPostgres(EmbeddedPostgres):
    """A server that the image's scripts have set up; only paths, the port and the account are this machine's."""

    def __init__(self, folder: Path, secrets: Path) -> None:
        super().__init__(folder)
        self.secrets = secrets
        self.port = free_port()

    @classmethod
    def made(cls, secrets: Path) -> Self:
        """In a folder of its own, which is deleted when it stops; not started yet."""
        server = cls(postgres_folders.temporary(), secrets)
        server._delete_on_stop = True
        return server

    @property
    def superuser_url(self) -> str:
        """By its socket, as whoever runs the server."""
        return f"postgresql://{SUPERUSER}@/mykey?host={postgres_folders.of_socket(self._folder)}&port={self.port}"

    def url_of(self, name: str) -> str:
        """What a file of the secrets holds, for this machine's port and without TLS."""
        there, _, checked = (self.secrets / name).read_text().partition("?")
        assert checked.startswith("sslmode=verify-full&")
        return there.replace("@postgres:5432/", f"@{HOST}:{self.port}/") + "?sslmode=disable"

    def set_up(self) -> None:
        """What the image runs on an empty data directory, in its order."""
        for script in ("owner.sh", "backup.sh"):
            self.run_script(script)

    def run_script(self, name: str) -> None:
        """One of deploy/postgres, as a superuser on the server itself."""
        text = (FOLDER / name).read_text().replace(IN_CONTAINER, str(self.secrets))
        environment = {
            "PATH": f"{self.bin_path}:{os.defpath}",
            "PGHOST": str(postgres_folders.of_socket(self._folder)),
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
        }
        subprocess.run(["/bin/sh", "-c", text], env=environment, check=True, timeout=LIMIT_S, cwd="/")

    def _ready_socket_folder(self) -> Path | None:
        lines = self._pid_lines()
        if len(lines) < STATE_LINE or lines[STATE_LINE - 1].strip() != "ready":
            return None
        with suppress(OSError), socket.create_connection((HOST, self.port), LIMIT_S):
            return postgres_folders.of_socket(self._folder)
        return None

    def _initialise(self) -> None:
        programs = self._found()
        postgres_folders.make_private(self.data_path, programs.account)
        arguments = [f"--pgdata={self.data_path}", f"--username={SUPERUSER}", "--auth=peer", "--encoding=UTF8"]
        programs.run("initdb", arguments, timeout_s=LIMIT_S)

    def _write_configuration(self) -> None:
        account = find_programs().account
        place = Place(self._folder, postgres_folders.prepared_for_socket(self._folder, account), account)
        settings = {
            **postgres_config.tuned_settings(has_lz4=False),
            "listen_addresses": HOST,
            "port": str(self.port),
            "fsync": "off",
        }
        postgres_config.write(place, settings, SUPERUSER)
        rules = (FOLDER / "pg_hba.conf").read_text()
        # The image's system account has the superuser's name; here it is another one.
        here = re.sub("^hostssl", "host", rules, flags=re.MULTILINE).replace("peer", "peer map=mykey")
        (self._folder / "pg_hba.conf").write_text(here)
