"""A reader on a serial line: each line is a number, for whoever waits for one."""

import asyncio
import os
import pty
from pathlib import Path

from reader_agent import line_device
from reader_agent.line_device import read_lines
from reader_agent.typed_numbers import TypedNumbers
from tests.waiting import wait_until


async def test_lines_of_a_device_are_numbers() -> None:
    ours, theirs = pty.openpty()
    numbers = TypedNumbers()
    reading = asyncio.create_task(read_lines(Path(os.ttyname(theirs)), numbers))
    try:
        for number in ("A1234567A", "0000"):
            waiting = asyncio.create_task(numbers.next_number())
            await wait_until(lambda: numbers.is_wanted)
            os.write(ours, b"x" * 3_000 + b"\n <no number> \n" + number.encode() + b"\n")
            assert await waiting == number
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        os.close(ours)
        os.close(theirs)


async def test_a_device_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    reading = asyncio.create_task(read_lines(tmp_path / "nothing", TypedNumbers()))
    await asyncio.sleep(0)
    assert not reading.done()
    assert line_device.AGAIN_S > 0
    reading.cancel()
