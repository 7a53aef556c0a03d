"""Merge files as pure functions: numbers, hashes, ciphers; and that `openssl` and `md5sum` alone can read v1."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.street.layout import BadRecordError, Fields, record_of, transaction_number
from schemas.streets import CipherMode, MergeKey, MergeLayout
from tests.connectors.street.vectors import FIELDS, SECRET, TERMINAL, VALID_FROM, key_of, sealing, vectors

ROOT = Path(__file__).parents[3]
COMMANDS = re.compile(r"```sh\n(# open a v1 file.*?)```", re.DOTALL)
FILES = 100_000
NOW = datetime(2017, 10, 2, 1, 15, 30, tzinfo=UTC)


def test_the_vectors_are_what_the_code_makes() -> None:
    kept = (ROOT / "docs/contracts/merge/vectors.json").read_text(encoding="utf-8")
    assert json.loads(kept) == vectors()


def test_openssl_and_md5sum_alone_open_and_verify_a_v1_file(tmp_path: Path) -> None:
    """By the very commands that docs/streets.md gives."""
    (tmp_path / "merge.mpf").write_bytes(sealing(MergeLayout()).file_of(FIELDS, TERMINAL))
    found = COMMANDS.search((ROOT / "docs/streets.md").read_text(encoding="utf-8"))
    assert found is not None
    environment = {"PATH": "/usr/bin:/bin", "KEY": key_of(CipherMode.cbc).cipher_key.hex(), "SECRET": SECRET}
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", found[1]], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "520625,300,20171002101530000042\nok\n", "")

    altered = bytearray((tmp_path / "merge.mpf").read_bytes())
    altered[3] ^= 1  # of the IV: it alters the ID alone, which only the hash tells
    (tmp_path / "merge.mpf").write_bytes(altered)
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", found[1]], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "ok" not in done.stdout


@pytest.mark.parametrize("mode", CipherMode)
def test_whether_a_file_would_be_made_so_now(mode: CipherMode) -> None:
    """Another key, layout or record is told; only what was drawn is not."""
    layout, key = MergeLayout(mode=mode), key_of(mode)
    made = sealing(layout).file_of(FIELDS, TERMINAL)
    assert sealing(layout).has_made(made, FIELDS, TERMINAL)
    others = [sealing(MergeLayout(mode=other)) for other in CipherMode if other is not mode]
    others += [sealing(layout.model_copy(update={"delimiter": ";"})), sealing(layout, key=key_of(mode, first=50))]
    if mode.is_v2:
        others.append(sealing(layout, key=key.model_copy(update={"key_id": "2017-2"})))
    assert not any(one.has_made(made, FIELDS, TERMINAL) for one in others)
    assert not sealing(layout).has_made(made, FIELDS._replace(points=301), TERMINAL)
    assert not sealing(layout).has_made(b"", FIELDS, TERMINAL)


@pytest.mark.parametrize("mode", CipherMode)
def test_no_iv_or_nonce_and_no_number_comes_twice(mode: CipherMode) -> None:
    made = sealing(MergeLayout(mode=mode))
    start = len(f"MPF2|{mode}|honmachi|{TERMINAL}|{FIELDS.number}|2017-1\r\n") if mode.is_v2 else 0
    size = 12 if mode.is_v2 else 16
    randoms, numbers = set(), set()
    for serial in range(FILES // len(CipherMode)):
        number = transaction_number(NOW + timedelta(seconds=serial // 10_000), serial)
        numbers.add(number)
        randoms.add(made.file_of(FIELDS._replace(number=number), TERMINAL)[start : start + size])
    assert len(randoms) == len(numbers) == FILES // len(CipherMode)


def test_a_number_is_the_time_in_japan_and_a_serial() -> None:
    assert transaction_number(NOW, 42) == "20171002101530000042"
    assert transaction_number(datetime(2017, 12, 31, 15, tzinfo=UTC), 999_999) == "20180101000000999999"
    for serial in (-1, 1_000_000):
        with pytest.raises(ValueError, match=str(serial)):
            transaction_number(NOW, serial)


def test_a_hundred_thousand_numbers_are_all_different() -> None:
    # A busy street's: two hundred a second, serials that begin anew after a million.
    numbers = {transaction_number(NOW + timedelta(seconds=n // 200), (950_000 + n) % 1_000_000) for n in range(FILES)}
    assert len(numbers) == FILES


def test_with_delimiters_no_two_records_have_one_hash() -> None:
    one, other = Fields("520625", 100, FIELDS.number), Fields("52062", 5_100, FIELDS.number)
    bare = MergeLayout(hash_joining="bare")
    assert _hash(bare, one) == _hash(bare, other)
    assert _hash(MergeLayout(), one) != _hash(MergeLayout(), other)
    assert bare.warning is not None
    assert MergeLayout().warning is None


def _hash(layout: MergeLayout, fields: Fields) -> bytes:
    return record_of(layout, fields, SECRET).rstrip().rpartition(b",")[2]


def test_what_the_layout_cannot_carry_is_refused() -> None:
    with pytest.raises(BadRecordError):
        record_of(MergeLayout(), Fields("52,06", 1, FIELDS.number), SECRET)
    with pytest.raises(BadRecordError):
        record_of(MergeLayout(encoding="cp932"), FIELDS, "é€")


@pytest.mark.parametrize(
    "file_name",
    ["merge.mpf", "{number}{number}.mpf", "../{number}.mpf", "{other}-{number}.mpf", "{number}.part", "{number}.ack"],
)
def test_a_file_name_has_the_number_and_nothing_that_leads_elsewhere(file_name: str) -> None:
    with pytest.raises(ValidationError):
        MergeLayout(file_name=file_name)


def test_a_key_is_good_for_its_mode_and_its_time() -> None:
    key = key_of(CipherMode.cbc)
    assert key.fits(CipherMode.cbc)
    assert not key.fits(CipherMode.cbc_hmac)
    assert not key.fits(CipherMode.gcm_256)
    assert not key.model_copy(update={"secret": ""}).fits(CipherMode.cbc)
    assert key.is_valid(VALID_FROM)
    assert not key.is_valid(VALID_FROM - timedelta(seconds=1))
    assert key.valid_to is not None
    assert not key.is_valid(key.valid_to)
    with pytest.raises(ValidationError):
        MergeKey(key_id="1", valid_from=VALID_FROM, valid_to=VALID_FROM, cipher_key=bytes(16))


def test_a_key_tells_nothing_of_itself() -> None:
    shown = repr(key_of(CipherMode.cbc_hmac))
    assert "honmachi" not in shown
    assert "cipher_key" not in shown
    assert "mac_key" not in shown
