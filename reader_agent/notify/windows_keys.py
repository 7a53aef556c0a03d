"""Keys on Windows, by SendInput: letters as Unicode, so that neither the layout nor the IME changes them."""

import ctypes
import sys
from typing import Any, ClassVar, Final

from reader_agent.notify.errors import NotHandedOnError

_INPUT_KEYBOARD: Final = 1
_KEYEVENTF_KEYUP, _KEYEVENTF_UNICODE = 0x0002, 0x0004
_VK_RETURN: Final = 0x0D


class _KeyboardInput(ctypes.Structure):
    """KEYBDINPUT, padded to the size of MOUSEINPUT, the largest of the union."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("wVk", ctypes.c_ushort),
        ("wScan", ctypes.c_ushort),
        ("dwFlags", ctypes.c_ulong),
        ("time", ctypes.c_ulong),
        ("dwExtraInfo", ctypes.c_void_p),
        ("padding", ctypes.c_ubyte * 8),
    ]


class _Input(ctypes.Structure):
    """INPUT."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [("type", ctypes.c_ulong), ("ki", _KeyboardInput)]


def send_keys(text: str, *, enter: bool) -> None:
    """Type a text, and Enter after it. Raises NotHandedOnError: another program's dialogue keeps the keys."""
    if sys.platform == "win32":
        units = text.encode("utf-16-le")
        scans = [int.from_bytes(units[at : at + 2], "little") for at in range(0, len(units), 2)]
        keys = [(0, scan, _KEYEVENTF_UNICODE) for scan in scans] + [(_VK_RETURN, 0, 0)] * enter
        inputs = [_input(vk, scan, flags | up) for vk, scan, flags in keys for up in (0, _KEYEVENTF_KEYUP)]
        block = (_Input * len(inputs))(*inputs)
        sent = ctypes.windll.user32.SendInput(len(inputs), block, ctypes.sizeof(_Input))
        if sent != len(inputs):
            raise NotHandedOnError("Windows did not take the keys")
    else:
        raise NotHandedOnError("this is not Windows")


def _input(vk: int, scan: int, flags: int) -> _Input:
    return _Input(_INPUT_KEYBOARD, _KeyboardInput(vk, scan, flags, 0, None))
