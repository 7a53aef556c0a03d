"""`mykey-hub verify` as somebody types it wrongly: told what is wrong, and what to do."""

from pathlib import Path

import pytest

from schemas.audit import SLICE_LIMIT_BLOCKS
from tests.running import SECRET_KEY
from workers.ledger.verifying import main


def test_a_state_file_of_something_else_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYKEY_SECRET_KEY", SECRET_KEY)
    file = tmp_path / "state.json"
    file.write_text("nonsense", encoding="utf-8")
    assert main(["--state", str(file)]) == 1
    told = capsys.readouterr().err
    assert f"StateUnreadableError: {file}" in told
    assert "name another, or remove it and prove everything anew" in told


def test_a_state_that_cannot_be_kept_is_told_of_before_anything_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYKEY_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("MYKEY_DATABASE_URL", "postgresql://nobody@localhost/none")
    file = tmp_path / "missing" / "state.json"
    assert main(["--state", str(file)]) == 1
    told = capsys.readouterr().err
    assert f"StateOutOfReachError: {file}: [Errno 2] No such file or directory" in told
    assert "mend that, and go on from what is in it" in told


@pytest.mark.parametrize("blocks", ["0", "-1", str(SLICE_LIMIT_BLOCKS + 1), "ten", "\u0663", "1.5"])
def test_a_slice_has_blocks(blocks: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--slice-blocks={blocks}"])
    assert ended.value.code == 2
    assert f"a number from 1 to {SLICE_LIMIT_BLOCKS}" in capsys.readouterr().err
