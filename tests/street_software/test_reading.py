"""Which files are read and which are refused: the vectors, every cut, every flipped bit, keys in their time."""

import base64
import json
import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.streets import CipherMode, MergeLayout
from street_software.reading import Reason, RefusedFileError, read
from street_software.settings import MODES, BadSettingsError, Key, Settings, load
from tests.connectors.street.vectors import FIELDS, TERMINAL, key_of, sealing
from tests.street_software.world import NOW, settings_of, street_key

VECTORS = json.loads((Path(__file__).parents[2] / "docs/contracts/merge/vectors.json").read_text(encoding="utf-8"))
modes = pytest.mark.parametrize("mode", CipherMode)


def of_vector(vector: dict[str, Any]) -> Settings:
    """By nothing but the vector: none of our code has made it."""
    at = datetime.fromisoformat(VECTORS["at"])
    key = Key(
        vector["key_id"], at - timedelta(days=2), at + timedelta(days=2), bytes.fromhex(vector["key"]),
        vector["secret"], bytes.fromhex(vector["mac_key"]),
    )  # fmt: skip
    names = ("street", "mode", "delimiter", "line_end", "encoding", "hash_joining", "file_name")
    told = {name: vector[name] for name in names}
    return Settings(drop_folder=Path(), store=Path(), keys=(key,), hub_key=VECTORS["hub_key"], **told)


@pytest.mark.parametrize("vector", VECTORS["taken"])
def test_the_vectors_are_read(vector: dict[str, Any]) -> None:
    settings = of_vector(vector)
    merge = read(base64.b64decode(vector["file"]), settings, datetime.fromisoformat(VECTORS["at"]))
    assert (merge.member_id, merge.points, merge.number) == (vector["member_id"], vector["points"], vector["number"])
    assert settings.name_of(merge.key, merge.number) == vector["name"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda one: f"{one['mode']}: {one['case']}")
def test_the_vectors_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(RefusedFileError) as refused:
        read(base64.b64decode(vector["file"]), of_vector(vector), datetime.fromisoformat(VECTORS["at"]))
    assert refused.value.reason == vector.get("reason", refused.value.reason)


def test_the_vectors_that_are_only_early_are_read_once_their_time_has_come() -> None:
    """Under the name of their own number: at the moment `at` it is their time alone that has them refused."""
    early = [one for one in VECTORS["refused"] if one.get("reason") == Reason.future]
    then = datetime.fromisoformat(VECTORS["at"]) + timedelta(days=1)
    assert len(early) == len(CipherMode)
    for vector in early:
        settings = of_vector(vector)
        merge = read(base64.b64decode(vector["file"]), settings, then)
        assert settings.name_of(merge.key, merge.number) == vector["name"]


@modes
def test_a_file_cut_anywhere_is_refused(mode: CipherMode, tmp_path: Path) -> None:
    layout = MergeLayout(mode=mode)
    settings, content = settings_of(layout, tmp_path), sealing(layout).file_of(FIELDS, TERMINAL)
    for length in range(len(content)):
        with pytest.raises(RefusedFileError):
            read(content[:length], settings, NOW)
    with pytest.raises(RefusedFileError):
        read(content + b"\0", settings, NOW)


@modes
@pytest.mark.parametrize("joining", ["delimited", "bare"])
def test_a_file_with_any_bit_flipped_is_refused(mode: CipherMode, joining: Any, tmp_path: Path) -> None:  # noqa: ANN401
    layout = MergeLayout(mode=mode, hash_joining=joining)
    settings, content = settings_of(layout, tmp_path), sealing(layout).file_of(FIELDS, TERMINAL)
    for bit in range(len(content) * 8):
        altered = bytearray(content)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RefusedFileError):
            read(bytes(altered), settings, NOW)


@modes
def test_strangers_bytes_are_refused_and_nothing_else_happens(mode: CipherMode, tmp_path: Path) -> None:
    settings, drawn = settings_of(MergeLayout(mode=mode), tmp_path), random.Random(8)
    for _ in range(500):
        with pytest.raises(RefusedFileError):
            read(drawn.randbytes(drawn.randrange(400)), settings, NOW)


@modes
def test_two_keys_overlap_and_an_old_one_opens_nothing(mode: CipherMode, tmp_path: Path) -> None:
    """F37: a key is changed while files are on their way."""
    layout = MergeLayout(mode=mode)
    old, new = key_of(mode), key_of(mode, "2017-2", first=50)
    ends = NOW + timedelta(days=7)
    keys = (replace(street_key(old), valid_to=ends), replace(street_key(new), valid_from=NOW))
    settings = settings_of(layout, tmp_path, keys=keys)
    made = [sealing(layout, key=key).file_of(FIELDS, TERMINAL) for key in (old, new)]
    for content in made:
        assert read(content, settings, NOW).number == FIELDS.number
    with pytest.raises(RefusedFileError) as refused:
        read(made[0], settings, ends)
    assert refused.value.reason is Reason.old_key
    assert read(made[1], settings, ends).number == FIELDS.number


def test_v1_and_v2_are_never_taken_for_one_another(tmp_path: Path) -> None:
    for mode in CipherMode:
        content = sealing(MergeLayout(mode=mode)).file_of(FIELDS, TERMINAL)
        for other in set(CipherMode) - {mode}:
            with pytest.raises(RefusedFileError):
                read(content, settings_of(MergeLayout(mode=other), tmp_path), NOW)


@pytest.mark.parametrize(
    "line",
    [
        'mode = "aes-128-ecb"', 'delimiter = "x"', "colour = 1", "keys = []", "street = 1\nstreet = 2",
        '[[keys]]\nid = "1"\nvalid_from = 2017-04-01T00:00:00\nkey = "00"',
        '[[keys]]\nid = "1"\nvalid_from = 2017-04-01T00:00:00Z\nkey = "00"',
    ],
)  # fmt: skip
def test_settings_that_are_not_right_are_told(line: str, tmp_path: Path) -> None:
    (tmp_path / "street.toml").write_text(f'street = "honmachi"\ndrop_folder = "drop"\n{line}\n', encoding="utf-8")
    with pytest.raises(BadSettingsError):
        load(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_settings_are_read_whatever_the_editor_puts_before_them(encoding: str, tmp_path: Path) -> None:
    key = f'[[keys]]\nid = "1"\nvalid_from = 2017-04-01T00:00:00Z\nkey = "{"00" * 16}"\n'
    text = f'street = "honmachi"\ndrop_folder = "drop"\n{key}'
    (tmp_path / "street.toml").write_text(text, encoding=encoding)
    assert load(tmp_path).street == "honmachi"


def test_the_modes_are_those_of_the_hub() -> None:
    assert {mode.value: mode.key_bytes for mode in CipherMode} == MODES
