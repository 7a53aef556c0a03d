"""What deploy/ configures, started on this machine: the broker with its definitions, and compose.yaml's processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from demo.ports import free_port
from tests.children import ended
from tests.deploy.parts import COMMAND, DEPLOY, Service, secrets_of, services
from tests.rabbitmq import HOST, PROGRAMS, Broker, BrokerError

BIN: Final = Path(sys.executable).parent
IN_CONTAINER: Final = "/run/secrets"
# A container's host name leads to its address in its networks, and not to 127.0.0.1: so does this.
NOT_THE_LOOPBACK: Final = "{127,0,1,1}"
# What the tests' broker is told in a way of their own, and this one as compose.yaml has it, or by default.
SAID_BY_COMPOSE: Final = (
    "ERL_EPMD_ADDRESS",
    "RABBITMQ_USE_LONGNAME",
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
    "RABBITMQ_CTL_ERL_ARGS",
)
COMMAND_LIMIT_S: Final = 60.0
LOG_TAIL: Final = 2_000


class DeployedBroker(Broker):
    """RabbitMQ as compose.yaml and deploy/rabbitmq configure it: only paths and ports are this machine's."""

    def __init__(self, secrets: Path) -> None:
        super().__init__()
        self._secrets = secrets
        self._service = services()["rabbitmq"]
        self._host = self._service.get("hostname", "container")
        self._node = self._service["environment"].get("RABBITMQ_NODENAME", f"rabbit@{self._host}")
        self._names = []

    @property
    def port(self) -> int:
        """Where it speaks TLS; it speaks nothing else."""
        return self._ports.amqps

    def is_healthy(self) -> bool:
        """What the service's health check says of it."""
        kind, *command = self._service["healthcheck"]["test"]
        assert kind == "CMD"
        try:
            self._run([str(PROGRAMS / command[0]), *command[1:]])
        except BrokerError:
            return False
        return True

    def _environment(self) -> dict[str, str]:
        ours = super()._environment()
        here = {name: value for name, value in ours.items() if name not in SAID_BY_COMPOSE}
        named = {"ERL_INETRC": str(self._folder / "hosts"), "RABBITMQ_NODENAME": self._node}
        return {**here, **named, **self._service["environment"]}

    def _write_configuration(self) -> None:
        text = (DEPLOY / "rabbitmq" / "rabbitmq.conf").read_text().replace(IN_CONTAINER, str(self._secrets))
        here = text.replace("listeners.ssl.default = 5671", f"listeners.ssl.1 = {HOST}:{self.port}")
        (self._folder / "rabbitmq.conf").write_text(here)
        (self._folder / "advanced.config").write_text("[].\n")
        hosts = f'{{lookup, [file, native]}}.\n{{host, {NOT_THE_LOOPBACK}, ["{self._host}"]}}.\n'
        (self._folder / "hosts").write_text(hosts)

    def _listening(self) -> tuple[int]:
        return (self.port,)


class Container:
    """A service's command as a process, with its environment and its secrets, and its health check."""

    def __init__(self, service: Service, folder: Path, secrets: Path, replaced: Mapping[str, str]) -> None:
        """`replaced`: what secret files hold on this machine instead, by their names in the container."""
        self._service = service
        self._folder = folder
        folder.mkdir()
        for name, file in secrets_of(service).items():
            (folder / name).write_text(replaced.get(name) or (secrets / file).read_text())
        self._log = folder / "log"
        self.http_port = free_port()
        self._inside_port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    async def started(cls, service: Service, folder: Path, secrets: Path, replaced: Mapping[str, str]) -> Self:
        """At work, or about to be."""
        made = cls(service, folder, secrets, replaced)
        made._process = await made._spawn(BIN / COMMAND, service["command"])
        return made

    async def run(self) -> int:
        """The command to its end; its exit status."""
        return await self._ended(await self._spawn(BIN / COMMAND, self._service["command"]))

    async def does(self, *command: str) -> str:
        """Another command in its place, as `docker compose run` has it: what it said, once it has done it."""
        before = len(self.log)
        status = await self._ended(await self._spawn(BIN / COMMAND, list(command)))
        said = self.log[before:]
        assert status == 0, f"{command}: {said}"
        return said

    async def is_healthy(self) -> bool:
        """What the health check says; a process that has ended is an error of its own."""
        assert self._process is not None
        assert self._process.returncode is None, f"{self._service['command']} ended"
        kind, program, *arguments = self._service["healthcheck"]["test"]
        assert kind == "CMD"
        return await self._ended(await self._spawn(BIN / program, arguments)) == 0

    @property
    def log(self) -> str:
        """What the process has said so far."""
        return self._log.read_text() if self._log.exists() else ""

    async def stop(self) -> int:
        """As a container is stopped; the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self._ended(self._process)

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        try:
            return await ended(process, COMMAND_LIMIT_S)
        except TimeoutError:
            raise AssertionError(f"{self._service['command']} does not end: {self.log[-LOG_TAIL:]}") from None

    async def _spawn(self, program: Path, arguments: list[str]) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                program, *arguments, stdout=log, stderr=log, env=self._environment(), cwd=self._folder
            )

    def _environment(self) -> dict[str, str]:
        """The service's own, with this machine's ports and folders."""
        named = {name: str(value) for name, value in self._service.get("environment", {}).items()}
        there = {name: value.replace(IN_CONTAINER, str(self._folder)) for name, value in named.items()}
        here = {
            "PATH": os.defpath,
            "CREDENTIALS_DIRECTORY": str(self._folder),
            "MYKEY_DATA_DIR": str(self._folder / "data"),
            "MYKEY_HTTP_HOST": HOST,
            "MYKEY_HTTP_PORT": str(self.http_port),
            "MYKEY_INSIDE_PORT": str(self._inside_port),
        }
        return {**there, **here}
