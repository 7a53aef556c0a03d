"""RabbitMQ for tests and benchmarks: Debian's `rabbitmq-server` as a process of ours, in a folder of its own.

It listens on loopback only: AMQP, AMQP over TLS, Erlang's distribution, and an `epmd` of its own for the latter. The
machine's own broker, its cookie and its settings are left alone. Any user may start it; root need not become another.

It ends with `close`, and when our process dies, whatever the cause: a small shell beside it waits on a pipe from us,
and a closed pipe kills both and removes the folder.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from hub.authority import Authority

HOST: Final = "127.0.0.1"
MISSING: Final = "rabbitmq-server is not here (Debian, Ubuntu: apt install rabbitmq-server), so nothing over RabbitMQ"

# Debian's programs in /usr/sbin want to be root or the system's rabbitmq; those here run as whoever calls them.
PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")
_SERVER: Final = PROGRAMS / "rabbitmq-server"
_CTL: Final = PROGRAMS / "rabbitmqctl"

# Below the ports that the kernel gives to outgoing connections: a port is still ours after a restart.
_PORTS: Final = range(20_000, 32_000)
_CERTIFICATES_VALID: Final = timedelta(days=2)
_PORT_ATTEMPTS: Final = 100
_START_ATTEMPTS: Final = 3
_START_TIMEOUT_S: Final = 90.0
_STOP_TIMEOUT_S: Final = 30.0
_COMMAND_TIMEOUT_S: Final = 60.0
_POLL_INTERVAL_S: Final = 0.02
_LOG_TAIL_CHARACTERS: Final = 3_000

# Runs epmd and the server (its arguments after the folder), says the server's process id, and waits for its end.
# When its standard input ends, we are gone: then both are killed and the folder goes.
_GUARD: Final = """
folder=$1; shift
exec 3<&0
epmd -address 127.0.0.1 </dev/null >/dev/null 2>&1 3<&- &
epmd=$!
tries=500
until epmd -names >/dev/null 2>&1 || [ $((tries -= 1)) = 0 ]; do sleep 0.01; done
"$@" </dev/null >>"$folder/server.log" 2>&1 3<&- &
server=$!
echo "$server"
{ read -r _; : >"$folder/left-alone"; kill -KILL "$server"; } <&3 2>/dev/null &
watcher=$!
wait "$server"
kill -KILL "$watcher" "$epmd" 2>/dev/null; wait
[ -e "$folder/left-alone" ] && rm -rf "$folder"
exit 0
"""

_CONFIGURATION: Final = """
[{{rabbit, [
    {{tcp_listeners, [{{"127.0.0.1", {amqp}}}]}},
    {{ssl_listeners, [{{"127.0.0.1", {amqps}}}]}},
    {{ssl_options, [{{cacertfile, "{tls}/ca.pem"}}, {{certfile, "{tls}/server.pem"}}, {{keyfile, "{tls}/server.key"}},
        {{verify, verify_none}}, {{versions, ['tlsv1.3', 'tlsv1.2']}}]}},
    {{default_user, <<"{user}">>}}, {{default_pass, <<"{password}">>}},
    {{log, [{{console, [{{enabled, true}}]}}, {{file, [{{file, false}}]}}]}}
]}}].
"""


class BrokerError(Exception):
    """The broker did not do what it was told; its own words stand in the message."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody the broker knows."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class _Ports:
    amqp: int
    amqps: int
    distribution: int
    epmd: int

    @classmethod
    def free(cls) -> Self:
        """Four that nobody listens on now."""
        with ExitStack() as held:
            found: list[int] = []
            for _ in range(_PORT_ATTEMPTS):
                if len(found) == len(cls.__slots__):
                    return cls(*found)
                port = secrets.choice(_PORTS)
                probe = held.enter_context(socket.socket())
                with suppress(OSError):
                    probe.bind((HOST, port))
                    found.append(port)
        raise BrokerError(f"no free ports among {_PORTS}")


def is_installed() -> bool:
    """Whether there are the programs that we start."""
    return _SERVER.exists() and all(shutil.which(name) for name in ("erl", "epmd", "erl_call"))


class Broker:
    """One RabbitMQ node; a context manager, or call `start` and `close`. All of it blocks.

    Attributes:
        admin: who may do everything, in the virtual host `/`.
        ca_file: the throw-away authority that signed the server's certificate, for `localhost` and 127.0.0.1.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mykey-rabbitmq-"))
        self._node = f"mykey-{secrets.token_hex(4)}@{HOST}"
        self._names = ["--longnames"]
        self._guard: subprocess.Popen[str] | None = None
        self._pid = 0
        self._ports = _Ports.free()
        self._authority = Authority(self._folder / "tls", _CERTIFICATES_VALID)
        self._authority.issue("server", HOST, "localhost")
        self.ca_file = self._authority.ca_file
        self.admin = User("admin", secrets.token_hex(16))
        cookie = self._folder / ".erlang.cookie"
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(16))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -------------------------------------------------------------------------------------------- its life

    def start(self) -> None:
        """Start it, and wait until it takes connections. Its data and ports are those of the last time.

        Raises:
            BrokerError: it did not start.
        """
        is_new = not self.data_path.exists()
        for attempt in range(1, _START_ATTEMPTS + 1):
            self._spawn()
            if self._comes_up():
                return
            self.kill()
            # Somebody may have taken a port between our look and the broker's; clients know those of an older one.
            if is_new and attempt < _START_ATTEMPTS:
                self._ports = _Ports.free()
                shutil.rmtree(self.data_path, ignore_errors=True)
        raise BrokerError(f"RabbitMQ did not start: {self._log_tail()}")

    def stop(self) -> None:
        """Stop it as an operator would: connections are told, data are kept."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would; what its disk has is kept."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start it: the same ports, users and queues."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Kill it if it runs and delete its data; the next start finds a new broker, with nobody but the admin."""
        self.kill()
        shutil.rmtree(self.data_path, ignore_errors=True)

    def lose_queues(self) -> None:
        """Take from the disk of one that was killed what its quorum queues have there, not that they were declared."""
        for folder in self.data_path.glob("*/quorum"):
            shutil.rmtree(folder)

    def close(self) -> None:
        """End it and remove all there was of it."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def data_path(self) -> Path:
        """Its data directory."""
        return self._folder / "mnesia"

    @property
    def log_path(self) -> Path:
        """Its own log."""
        return self._folder / "server.log"

    # ----------------------------------------------------------------------------------------- its insides

    def url(self, user: User | None = None, vhost: str = "/", *, tls: bool = False) -> str:
        """Where a client connects: as the admin, if nobody else is named."""
        who = user or self.admin
        scheme, port = ("amqps", self._ports.amqps) if tls else ("amqp", self._ports.amqp)
        login = f"{quote(who.name, safe='')}:{quote(who.password, safe='')}"
        return f"{scheme}://{login}@{HOST}:{port}/{quote(vhost, safe='')}"

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` prints; it takes a second or two. Raises BrokerError."""
        return self._run([str(_CTL), "--quiet", "--node", self._node, *self._names, *arguments])

    def add_vhost(self, name: str) -> None:
        """A virtual host in which the admin may do everything."""
        self._do(f"rabbit_vhost:add({_binary(name)}, {_ACTOR})")
        self.set_rights(self.admin.name, name)

    def delete_vhost(self, name: str) -> None:
        """With all its queues; whoever is connected to it is cut off."""
        self._do(f"rabbit_vhost:delete({_binary(name)}, {_ACTOR})")

    def add_user(self, name: str, vhost: str = "/", *, configure: str = "", write: str = "", read: str = "") -> User:
        """A user with rights in one virtual host, each a regular expression over names; empty is none."""
        user = User(name, secrets.token_hex(16))
        self._do(f"rabbit_auth_backend_internal:add_user({_binary(name)}, {_binary(user.password)}, {_ACTOR})")
        self.set_rights(name, vhost, configure=configure or "^$", write=write or "^$", read=read or "^$")
        return user

    def delete_user(self, name: str) -> None:
        """Connections it has open go on."""
        self._do(f"rabbit_auth_backend_internal:delete_user({_binary(name)}, {_ACTOR})")

    def set_rights(self, name: str, vhost: str, *, configure: str = ".*", write: str = ".*", read: str = ".*") -> None:
        """What a user may do in a virtual host, in place of what it might before."""
        rights = ", ".join(_binary(text) for text in (name, vhost, configure, write, read))
        self._do(f"rabbit_auth_backend_internal:set_permissions({rights}, {_ACTOR})")

    def set_policy(self, vhost: str, name: str, pattern: str, definition: str) -> None:
        """A policy for the queues that match; `definition` is JSON, as for `rabbitmqctl set_policy`."""
        self.ctl("set_policy", "--vhost", vhost, "--apply-to", "queues", name, pattern, definition)

    def block(self) -> None:
        """Raise the memory alarm: the broker reads nothing more from connections that publish."""
        self._do("vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)")

    def unblock(self) -> None:
        """End the alarm."""
        self._do("vm_memory_monitor:set_vm_memory_high_watermark(0.4)")

    @contextmanager
    def fresh_vhost(self) -> Iterator[str]:
        """The name of a virtual host that is gone afterwards, if the broker is still there."""
        name = f"test-{secrets.token_hex(6)}"
        self.add_vhost(name)
        try:
            yield name
        finally:
            with suppress(BrokerError):
                self.delete_vhost(name)

    def evaluate(self, erlang: str) -> str:
        """The value of one Erlang expression inside the broker, as Erlang writes it; takes some ten milliseconds.

        Raises BrokerError.
        """
        written = f'lists:flatten(io_lib:format("~0p", [{erlang}])).\n'
        # Of two with one name, the node refuses the later until it has seen the earlier end, and `-r` draws the same
        # for two that start in one moment.
        caller = f"caller-{secrets.token_hex(8)}"
        told = self._run(["erl_call", "-h", caller, "-name", self._node, "-e"], written)
        if not told.startswith("{ok, "):
            raise BrokerError(f"{erlang}: {told}")
        return told.removeprefix("{ok, ").removesuffix("}").strip('"').replace('\\"', '"')

    def _do(self, erlang: str) -> None:
        answer = self.evaluate(erlang)
        if "error" in answer:
            raise BrokerError(f"{erlang}: {answer}")

    # ------------------------------------------------------------------------------------------- its process

    def _spawn(self) -> None:
        self._write_configuration()
        with (self._folder / "enabled_plugins").open("w") as file:
            file.write("[].\n")
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "rabbitmq-guard", str(self._folder), str(_SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            env=self._environment(),
            umask=0o077,
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        self._pid = int(self._guard.stdout.readline())

    def _environment(self) -> dict[str, str]:
        """Nothing of ours leaks in, and nothing of the machine's own broker is read."""
        ports, folder = self._ports, self._folder
        # The node makes itself known by name at once: otherwise a helper would open a port to the whole network.
        arguments = (
            f"-name {self._node} -start_epmd false -kernel inet_dist_use_interface {{127,0,0,1}}"
            f" -kernel inet_dist_listen_min {ports.distribution} inet_dist_listen_max {ports.distribution}"
        )
        return {
            "PATH": f"{os.defpath}:/usr/sbin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(ports.epmd),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.data_path),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false -dist_listen false",
            # The start script then becomes the server, and a signal to it reaches the server itself.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _write_configuration(self) -> None:
        text = _CONFIGURATION.format(
            amqp=self._ports.amqp,
            amqps=self._ports.amqps,
            tls=self._folder / "tls",
            user=self.admin.name,
            password=self.admin.password,
        )
        (self._folder / "advanced.config").write_text(text)

    def _comes_up(self) -> bool:
        """Wait until both listeners answer; False when the server ended before, or takes too long."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        for port in self._listening():
            while not _answers(port):
                if not self.is_running or time.monotonic() > deadline:
                    return False
                time.sleep(_POLL_INTERVAL_S)
        return True

    def _listening(self) -> Sequence[int]:
        return self._ports.amqp, self._ports.amqps

    def _end(self, how: signal.Signals) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        with guard:
            if guard.poll() is None:
                os.kill(self._pid, how)
            try:
                guard.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.kill(self._pid, signal.SIGKILL)
                guard.wait(_STOP_TIMEOUT_S)

    def _run(self, command: list[str], text: str = "") -> str:
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                timeout=_COMMAND_TIMEOUT_S,
                env=self._environment(),
                check=False,
                cwd="/",
            )
        except subprocess.TimeoutExpired as error:
            raise BrokerError(f"{command[0]} took more than {_COMMAND_TIMEOUT_S:.0f} s") from error
        if done.returncode:
            raise BrokerError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _log_tail(self) -> str:
        with suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        return "it said nothing"


_ACTOR: Final = '<<"tests">>'


def _binary(text: str) -> str:
    """Erlang for these bytes; nothing in them is read as code."""
    return f"<<{','.join(str(byte) for byte in text.encode())}>>"


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
        return True
    return False
