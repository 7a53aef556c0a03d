"""The device fingerprint (端末識別情報): SHA-256 over four values of this machine, and which of them changed.

The values are the same at every start, whatever is updated, and differ from machine to machine. The hub sees the digest
and a keyed hash of each value, never a value: the key stays here.
"""

import hmac
import os
import platform
import plistlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

RECIPE: Final = "pc-1"
NAMES: Final = ("cpu", "board", "os_hardware", "os_install")
"""CPU serial, board serial, the system's hardware value, the system's install value, in the order they are joined."""
VALUE_LIMIT_CHARS: Final = 500
FILE_LIMIT_CHARS: Final = 64 * 1024
COMMAND_LIMIT_S: Final = 30.0
_UNIT_SEPARATOR: Final = "\x1f"
_DMI: Final = "/sys/class/dmi/id"
_CPU_FIELDS: Final = ("vendor_id", "cpu family", "model", "model name", "stepping")


class FingerprintError(Exception):
    """A value of this machine could not be read now: another try may succeed. A guess would suspend the terminal."""


class Fingerprint(NamedTuple):
    """What the hub is told: 32 bytes each."""

    recipe: str
    digest: bytes
    value_digests: Mapping[str, bytes]


def fingerprint_of(values: Mapping[str, str], key: bytes) -> Fingerprint:
    """The fingerprint of `machine_values()`; `key` is the terminal's own, for the hash of each value."""
    joined = _UNIT_SEPARATOR.join(values[name] for name in NAMES)
    digests = {name: hmac.digest(key, f"{name}{_UNIT_SEPARATOR}{values[name]}".encode(), "sha256") for name in NAMES}
    return Fingerprint(RECIPE, sha256(joined.encode()).digest(), digests)


def changed_values(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[str]:
    """The names of the values that differ."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def machine_values() -> dict[str, str]:
    """The four values of this machine, by name. Raises FingerprintError."""
    if sys.platform == "win32":
        values = _windows()
    elif sys.platform == "darwin":
        values = _macos()
    else:
        values = linux_values(Path("/"))
    if not values["os_install"]:
        raise FingerprintError("the system has no install value")
    return {name: value.strip()[:VALUE_LIMIT_CHARS] for name, value in values.items()}


def linux_values(root: Path) -> dict[str, str]:
    """Those of a Linux whose files are below `root`.

    Root alone may read the board's serial; systemd hands it to the service as a credential.
    """
    cpu = _cpu_info(_text(root, "/proc/cpuinfo"))
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    board = (
        (_text(Path(credentials), "board_serial") if credentials else "")
        or _text(root, f"{_DMI}/board_serial")
        or _text(root, "/sys/firmware/devicetree/base/serial-number")
        or _joined(_text(root, f"{_DMI}/{name}") for name in ("board_vendor", "board_name"))
    )
    return {
        "cpu": cpu.get("Serial") or _joined(cpu.get(name, "") for name in _CPU_FIELDS),
        "board": board,
        "os_hardware": _joined(
            [platform.machine(), *(_text(root, f"{_DMI}/{name}") for name in ("sys_vendor", "product_name"))]
        ),
        "os_install": _text(root, "/etc/machine-id"),
    }


def _cpu_info(text: str) -> dict[str, str]:
    """The fields of the first processor, and those of the machine that stand behind the last one."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def _joined(values: Iterable[str]) -> str:
    return "|".join(value.strip() for value in values)


def _text(root: Path, path: str) -> str:
    """A file's text; empty where there is none, or it is not for us: that is so at every start."""
    try:
        with (root / path.lstrip("/")).open(encoding="utf-8", errors="replace") as file:
            return file.read(FILE_LIMIT_CHARS).strip("\0 \r\n")
    except OSError:
        return ""


def _windows() -> dict[str, str]:
    """By the registry, and by CIM what is not there."""
    script = (
        "$ErrorActionPreference='Stop';"
        "(Get-CimInstance Win32_Processor | Select-Object -First 1).ProcessorId;"
        "(Get-CimInstance Win32_BaseBoard).SerialNumber"
    )
    lines = _said("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", script).splitlines()
    cpu, board = (*lines, "", "")[:2]
    information = r"SYSTEM\CurrentControlSet\Control\SystemInformation"
    return {
        "cpu": cpu,
        "board": board,
        "os_hardware": _registry(information, "ComputerHardwareId"),
        "os_install": _registry(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid"),
    }


def _registry(key: str, name: str) -> str:
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - there is none elsewhere

        try:
            view = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, access=view) as opened:
                return str(winreg.QueryValueEx(opened, name)[0])
        except OSError as error:
            raise FingerprintError(name) from error
    raise FingerprintError("there is no registry here")


def _macos() -> dict[str, str]:
    """By the I/O registry, and the volume that the system starts from."""
    expert = plistlib.loads(_said("/usr/sbin/ioreg", "-a", "-rd1", "-c", "IOPlatformExpertDevice").encode())
    volume = plistlib.loads(_said("/usr/sbin/diskutil", "info", "-plist", "/").encode())
    return {
        "cpu": _said("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"),
        "board": str(expert[0]["IOPlatformSerialNumber"]),
        "os_hardware": str(expert[0]["IOPlatformUUID"]),
        "os_install": str(volume["VolumeUUID"]),
    }


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_LIMIT_S, check=True)  # noqa: S603 - our own words
    except (OSError, subprocess.SubprocessError) as error:
        raise FingerprintError(Path(command[0]).name) from error
    return done.stdout.decode(errors="replace")
