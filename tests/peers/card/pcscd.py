"""A PC/SC service of our own with virtual readers: Debian's `pcscd`, with vsmartcard's vpcd as its only driver.

It sees a `/run` of its own (a mount namespace), so that the machine's pcscd, running or not, is left alone, and several
of ours run at once. Programs reach it by the environment of `environment`. It ends with `close`, and with us.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.peers.card.vpcd import HOST, VirtualReader

MISSING: Final = "no virtual card reader here (root on Debian, Ubuntu: make test brings it), so nothing over PC/SC"
SLOTS: Final = 2
"""Readers that one vpcd makes, on ports side by side."""

_DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_PROGRAMS: Final = ("pcscd", "unshare", "setpriv", "mount", "gcc")
_SHIM: Final = Path(__file__).with_name("preloaded.c")
_PORTS: Final = range(20_000, 31_998, SLOTS)
_PORT_ATTEMPTS: Final = 100
_START_LIMIT_S: Final = 10.0
_STOP_LIMIT_S: Final = 5.0
_POLL_S: Final = 0.02
_LOG_TAIL_CHARACTERS: Final = 2_000

_CONFIGURATION: Final = """
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:{port}
LIBPATH      {driver}
CHANNELID    {port}
"""
_START: Final = 'mount --bind "$1" /run && shift && exec "$@"'


class PcscdError(Exception):
    """pcscd did not start; its own words stand in the message."""


def is_installed() -> bool:
    """Whether there is all that we start, whether we may, and whether Python has pyscard."""
    has_programs = _DRIVER.exists() and all(shutil.which(name) for name in _PROGRAMS)
    return os.geteuid() == 0 and has_programs and importlib.util.find_spec("smartcard") is not None


class Pcscd:
    """One service, as a context manager. `readers` are its two slots.

    It looks for cards every `poll_ms` milliseconds; 400 is what it does by itself.
    """

    def __init__(self, poll_ms: int = 400) -> None:
        self._poll_ms = poll_ms
        self._folder = Path(tempfile.mkdtemp(prefix="mykey-pcscd-"))
        self._socket = self._folder / "run" / "pcscd" / "pcscd.comm"
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        port = _free_port()
        self.readers = [VirtualReader(f"Virtual PCD 00 {slot:02}", port + slot) for slot in range(SLOTS)]
        (self._folder / "reader.conf").write_text(_CONFIGURATION.format(port=port, driver=_DRIVER))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to find this service instead of the machine's."""
        return {"PCSCLITE_CSOCK_NAME": str(self._socket)}

    def start(self) -> None:
        """Start it and wait until it takes connections. Raises PcscdError."""
        shim = self._folder / "preloaded.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, _SHIM, "-ldl"], check=True)  # noqa: S607 - Debian's
        self._socket.parent.mkdir(parents=True)
        variables = (f"LD_PRELOAD={shim}", f"MYKEY_POLL_MS={self._poll_ms}")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_namespace(self._folder / "run"), *variables, *_pcscd(self._folder / "reader.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        give_up = time.monotonic() + _START_LIMIT_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > give_up:
                words = self.words()
                self.close()
                raise PcscdError(f"pcscd did not start: {words}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it as its operator would."""
        if self._process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            self._process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_LIMIT_S)
                break
        self._process = None
        shutil.rmtree(self._socket.parent, ignore_errors=True)

    def close(self) -> None:
        """Take the cards out, end it and remove all there was of it."""
        for reader in self.readers:
            reader.remove()
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def words(self) -> str:
        """The last of what it said."""
        return self._log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def _is_up(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self._socket))
            return True
        return False


def _namespace(run: Path) -> list[str | Path]:
    """A program is started with `/run` of its own, by its process id, and dies with us."""
    return ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", _START, "sh", run, "env"]


def _pcscd(configuration: Path) -> list[str | Path]:
    """Version 2 asks polkit who may use a reader, unless it is told not to; version 1 does not know the word."""
    usage = subprocess.run(["pcscd", "--help"], capture_output=True, text=True, check=False).stdout  # noqa: S607
    polkit = ["--disable-polkit"] if "--disable-polkit" in usage else []
    return ["pcscd", "--foreground", *polkit, "--config", configuration]


def _free_port() -> int:
    """One that nobody listens on now, nor on the next, below those that the kernel gives away."""
    for _ in range(_PORT_ATTEMPTS):
        port = secrets.choice(_PORTS)
        with suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind((HOST, port))
            second.bind((HOST, port + 1))
            return port
    raise PcscdError(f"no free ports among {_PORTS}")
