"""The conformance suite of the transports many times over, some copies side by side, each with servers of its own.

Run as `python -m tools.conformance [--copies 20] [--at-once 4]`. What fails once in twenty is a defect: of a transport,
or of a test that hoped instead of waiting. Prints a line for each copy, and the end of what failed; status 1 where
anything did.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

SUITE: Final = "tests/hub/transports"
COPIES: Final = 20
AT_ONCE: Final = 4
PATIENCE: Final = "MYKEY_TEST_PATIENCE"
"""See tests/waiting.py: so many copies at once are so many times slower, and a deadline is to tell of the transport."""
TEST_LIMIT_S: Final = 120
COPY_LIMIT_S: Final = 1_800.0
SHOWN_LINES: Final = 60


async def copy(number: int, turns: asyncio.Semaphore, folder: Path, at_once: int) -> bool:
    """One run of the suite; whether all of it passed."""
    limit = f"--timeout={TEST_LIMIT_S * at_once}"
    async with turns:
        began_s = time.monotonic()
        log = folder / f"{number}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", limit, SUITE),
                env={**os.environ, PATIENCE: str(at_once)},
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
            )
            try:
                async with asyncio.timeout(COPY_LIMIT_S):
                    status = await process.wait()
            except TimeoutError:
                process.kill()
                status = await process.wait()
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"copy {number}: {lines[-1] if lines else 'nothing'} ({time.monotonic() - began_s:.0f} s)", flush=True)
        if status:
            print("\n".join(lines[-SHOWN_LINES:]), flush=True)
        return status == 0


async def run(copies: int, at_once: int) -> bool:
    """All copies; whether all of all of them passed."""
    turns = asyncio.Semaphore(at_once)
    with tempfile.TemporaryDirectory() as folder:
        passed = await asyncio.gather(*(copy(number, turns, Path(folder), at_once) for number in range(1, copies + 1)))
    print(f"conformance: {sum(passed)} of {copies} copies passed, {at_once} at once")
    return all(passed)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance")
    parser.add_argument("--copies", type=int, default=COPIES)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    told = parser.parse_args()
    return 0 if asyncio.run(run(told.copies, told.at_once)) else 1


if __name__ == "__main__":
    sys.exit(main())
