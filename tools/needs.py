"""What the tests need and Python packages cannot bring: installed where we may, else told what is skipped.

Run as `python -m tools.needs <name…>`. As root on Debian or Ubuntu a missing program comes by apt-get; its service is
not started, because the tests start what they need themselves. A package of npm's comes into a folder of ours where npm
is, by its lock file where it needs others, and nothing of it is run by that. Elsewhere one line says what is missing
and which tests are skipped for it. The exit status is 0 either way: a test that lacks its need says so again.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

APT: Final = "/usr/bin/apt-get"
APT_LIMIT_S: Final = 600
LOCK_LIMIT_S: Final = 300
"""How long apt-get waits for another one at work."""

NPM: Final = "npm"
NPM_LIMIT_S: Final = 120
NPM_OPTIONS: Final = ("--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--fetch-retries=0")
ROOT: Final = Path(__file__).parents[1]
NPM_FOLDER: Final = ROOT / ".venv" / "npm"
"""Goes with the rest of the set-up; git ignores it."""
PEERS: Final = ROOT / "tests" / "peers"
"""Where those of npm's packages that need others have their lock files, in a folder of their name."""

POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian asks it before a package may start its service; 101 forbids it."""


Client = Literal["apt", "npm", "npm ci"]
"""What brings a package; `npm ci` by a lock file."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something from outside: the package, a file that it brings, and what cannot be tested without it."""

    package: str
    """Debian's name; or npm's, with its version where there is no lock file."""
    brings: Path
    skipped: str
    client: Client = "apt"
    also: tuple[Path, ...] = ()
    """More files, where the package is several: their names stand side by side."""

    def is_here(self) -> bool:
        """Whether there is all that it brings."""
        return all(path.exists() for path in (self.brings, *self.also))


NEEDS: Final[Mapping[str, Need]] = {
    "rabbitmq": Need("rabbitmq-server", Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), "everything over RabbitMQ"),
    **{
        name: Need(name, Path("/usr/bin") / program, "numbers typed into a window and copied")
        for name, program in {
            "xvfb": "Xvfb",
            "xdotool": "xdotool",
            "xclip": "xclip",
            "xsel": "xsel",
            "xterm": "xterm",
        }.items()
    },
    "nginx": Need("nginx", Path("/usr/sbin/nginx"), "the web server's configuration"),
    "card reader": Need(
        "pcscd libccid vsmartcard-vpcd libpcsclite-dev gcc libc6-dev python3-dev opensc",
        Path("/usr/sbin/pcscd"),
        "My Number Cards over PC/SC",
        also=(
            Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so"),
            Path("/usr/include/PCSC/winscard.h"),
            Path("/usr/include/stdlib.h"),
            Path(sysconfig.get_path("include"), "Python.h"),
            Path("/usr/bin/gcc"),
            Path("/usr/bin/opensc-tool"),
        ),
    ),
    "chromium": Need(
        "chromium fonts-noto-cjk",
        Path("/usr/bin/chromium"),
        "the screens in a real browser",
        also=(Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),),
    ),
    "asyncapi": Need(
        "@asyncapi/specs@6.11.1",
        NPM_FOLDER / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json",
        "docs/contracts/asyncapi.json against AsyncAPI's own schema",
        "npm",
    ),
    "oidc-provider": Need(
        "oidc-provider",
        NPM_FOLDER / "oidc-provider" / "node_modules" / "oidc-provider" / "package.json",
        "linking with an OpenID provider of somebody else's",
        "npm ci",
    ),
}


def missing(names: Sequence[str]) -> list[Need]:
    """Those of these needs that are not here."""
    return [NEEDS[name] for name in names if not NEEDS[name].is_here()]


def may_install(client: Client) -> bool:
    """Whether we are root on a system with apt-get; whether npm is here."""
    if client != "apt":
        return shutil.which(NPM) is not None
    return os.geteuid() == 0 and Path(APT).exists()


def install(client: Client, packages: Sequence[str]) -> str | None:
    """Bring these packages, nothing started. Returns what went wrong, None if nothing did."""
    print(f"set-up: {client} {'' if client == 'npm ci' else 'install '}{' '.join(packages)}", flush=True)
    return {"apt": _by_apt, "npm": _by_npm, "npm ci": _by_npm_ci}[client](packages)


def _by_npm(packages: Sequence[str]) -> str | None:
    options = ("--prefix", str(NPM_FOLDER), "--no-save", "--no-package-lock")
    return _run([NPM, "install", *NPM_OPTIONS, *options, *packages], NPM_LIMIT_S, os.environ)


def _by_npm_ci(packages: Sequence[str]) -> str | None:
    for package in packages:
        folder = NPM_FOLDER / package
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / package.replace("-", "_") / name, folder / name)
        failure = _run([NPM, "ci", *NPM_OPTIONS, "--prefix", str(folder)], NPM_LIMIT_S, os.environ)
        if failure is not None:
            return failure
    return None


def _by_apt(packages: Sequence[str]) -> str | None:
    wanted = ["install", "--yes", "--no-install-recommends", *packages]
    with services_kept_down(POLICY):
        failure = _apt(wanted)
        if failure is not None:
            # The lists may be missing, as in a container, or older than the archive.
            failure = _apt(["update"]) or _apt(wanted)
    if failure is None and Path("/run/systemd/system").exists():
        for package in packages:  # most have no service, and one without would keep the others from it
            subprocess.run(["systemctl", "disable", "--quiet", package], check=False)  # noqa: S603, S607 - our own words
    return failure


@contextmanager
def services_kept_down(policy: Path) -> Iterator[None]:
    """Packages installed meanwhile start no service; a policy that is there already is left as it is."""
    try:
        with policy.open("x") as file:
            file.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        yield
        return
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _apt(arguments: Sequence[str]) -> str | None:
    command = [APT, "--quiet", "-o", f"DPkg::Lock::Timeout={LOCK_LIMIT_S}", *arguments]
    return _run(command, APT_LIMIT_S, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def _run(command: Sequence[str], limit_s: float, environment: Mapping[str, str]) -> str | None:
    """What went wrong, in one line."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, timeout=limit_s, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {limit_s} s"
    return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1] if done.returncode else None


def main(
    names: Sequence[str],
    allowed: Callable[[Client], bool] = may_install,
    bring: Callable[[Client, Sequence[str]], str | None] = install,
) -> int:
    """Bring what is missing of these, or say what is skipped; always 0."""
    wanted = missing(names)
    reasons: dict[Client, str] = {"apt": "install it", "npm": "install npm", "npm ci": "install npm"}
    for client in dict.fromkeys(need.client for need in wanted):
        if allowed(client):
            packages = [name for need in wanted if need.client == client for name in need.package.split()]
            reasons[client] = bring(client, packages) or reasons[client]
    for need in missing(names):
        print(f"skipped: {need.skipped}, because {need.package} is not here ({reasons[need.client]})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(NEEDS)))
