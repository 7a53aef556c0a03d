"""The fingerprint: the same at every start, another on another machine, and the value that changed is named."""

from hashlib import sha256
from pathlib import Path

import pytest

from reader_agent.fingerprint import NAMES, changed_values, fingerprint_of, linux_values, machine_values

VALUES = {"cpu": "c", "board": "b", "os_hardware": "h", "os_install": "i"}
KEY = b"k" * 32


def machine(root: Path, files: dict[str, str]) -> dict[str, str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return linux_values(root)


def test_it_is_sha256_over_four_values() -> None:
    made = fingerprint_of(VALUES, KEY)
    assert made.digest == sha256(b"c\x1fb\x1fh\x1fi").digest()
    assert made.recipe == "pc-1"
    assert list(made.value_digests) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_changed_is_named(name: str) -> None:
    before, now = fingerprint_of(VALUES, KEY), fingerprint_of(VALUES | {name: "other"}, KEY)
    assert before.digest != now.digest
    assert changed_values(before.value_digests, now.value_digests) == [name]
    assert changed_values(before.value_digests, before.value_digests) == []


def test_a_values_hash_tells_nothing_without_the_terminals_key() -> None:
    one, other = fingerprint_of(VALUES, KEY), fingerprint_of(VALUES, b"o" * 32)
    assert one.digest == other.digest
    assert len({*one.value_digests.values(), *other.value_digests.values()}) == 8
    same = fingerprint_of(dict.fromkeys(NAMES, "x"), KEY)
    assert len(set(same.value_digests.values())) == 4


def test_this_machine_is_the_same_twice() -> None:
    assert machine_values() == machine_values()
    assert set(machine_values()) == set(NAMES)


def test_a_pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    files = {
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: V\nmodel name\t: M\nstepping\t: 1\ncpu MHz\t: 900\n",
        "sys/class/dmi/id/board_serial": "SER1\n",
        "sys/class/dmi/id/sys_vendor": "Vendor\n",
        "sys/class/dmi/id/product_name": "PC 1\n",
        "etc/machine-id": "abc\n",
    }
    found = machine(tmp_path, files)
    assert found["cpu"] == "V|||M|1"
    assert found["board"].strip() == "SER1"
    assert found["os_hardware"].endswith("|Vendor|PC 1")
    busier = machine(tmp_path, {"proc/cpuinfo": files["proc/cpuinfo"].replace("900", "3900")})
    assert busier == found
    (tmp_path / "board_serial").write_text("SER2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert linux_values(tmp_path)["board"] == "SER2"


def test_a_small_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    found = machine(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\n\nSerial\t\t: 00f00\n",
            "sys/firmware/devicetree/base/serial-number": "00f00\0",
        },
    )
    assert (found["cpu"], found["board"]) == ("00f00", "00f00")
