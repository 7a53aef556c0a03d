"""A keyboard of our own on Linux, by /dev/uinput: for Wayland, and where the agent is a service without a desktop."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from reader_agent.notify.errors import NotHandedOnError

DEVICE: Final = Path("/dev/uinput")
SETTLE_S: Final = 0.5
"""How long the desktop takes to see that there is a new keyboard."""
KEY_S: Final = 0.008

_EV_SYN, _EV_KEY = 0, 1
_KEY_ENTER, _KEY_SHIFT = 28, 42
_UI_SET_EVBIT, _UI_SET_KEYBIT = 0x40045564, 0x40045565
_UI_DEV_CREATE, _UI_DEV_DESTROY = 0x5501, 0x5502
_EVENT: Final = "@llHHi"
_USER_DEVICE: Final = "80sHHHHi256x"
_BUS_VIRTUAL: Final = 6

# The same keys on American and on Japanese keyboards; the signs that are not are refused rather than mistyped.
_ROWS: Final = {2: "1234567890-", 16: "qwertyuiop", 30: "asdfghjkl", 44: "zxcvbnm,./", 57: " "}
_PLAIN: Final = {letter: first + n for first, row in _ROWS.items() for n, letter in enumerate(row)}
_SHIFTED: Final = {letter.upper(): code for letter, code in _PLAIN.items() if letter.isalpha()} | {"$": 5}


def type_keys(text: str, *, enter: bool) -> None:
    """Type a text. Raises NotHandedOnError: another sign than `_PLAIN` and `_SHIFTED` have, or no right to type."""
    presses = [_press(letter) for letter in text] + [(_KEY_ENTER, False)] * enter
    try:
        with DEVICE.open("wb", buffering=0) as device:
            _make(device)
            time.sleep(SETTLE_S)
            for code, shift in presses:
                _tap(device, code, shift=shift)
            _control(device, _UI_DEV_DESTROY)
    except OSError as error:
        raise NotHandedOnError("uinput") from error


def _press(letter: str) -> tuple[int, bool]:
    if letter in _PLAIN:
        return _PLAIN[letter], False
    if letter in _SHIFTED:
        return _SHIFTED[letter], True
    raise NotHandedOnError("a sign that is not the same key on every keyboard")


def _make(device: IO[bytes]) -> None:
    _control(device, _UI_SET_EVBIT, _EV_KEY)
    for code in {*_PLAIN.values(), _KEY_ENTER, _KEY_SHIFT}:
        _control(device, _UI_SET_KEYBIT, code)
    device.write(struct.pack(_USER_DEVICE, b"mykey-agent", _BUS_VIRTUAL, 1, 1, 1, 0) + bytes(4 * 64 * 3))
    _control(device, _UI_DEV_CREATE)


def _control(device: IO[bytes], request: int, value: int = 0) -> None:
    import fcntl  # noqa: PLC0415 - there is none on Windows

    fcntl.ioctl(device, request, value)


def _tap(device: IO[bytes], code: int, *, shift: bool) -> None:
    for key, is_down in _keys(code, shift=shift):
        device.write(struct.pack(_EVENT, 0, 0, _EV_KEY, key, is_down))
        device.write(struct.pack(_EVENT, 0, 0, _EV_SYN, 0, 0))
        time.sleep(KEY_S)


def _keys(code: int, *, shift: bool) -> Iterator[tuple[int, int]]:
    if shift:
        yield _KEY_SHIFT, 1
    yield code, 1
    yield code, 0
    if shift:
        yield _KEY_SHIFT, 0
