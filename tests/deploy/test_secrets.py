"""`mykey-hub secrets` makes what is missing, keeps what is there, and shows it to nobody who is not handed it."""

import json
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509

from hub.__main__ import main
from hub.installed import installed
from tests.deploy.parts import make_secrets


def test_a_second_time_changes_no_secret(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    derived = {"definitions.json"}
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name not in derived}
    make_secrets(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name not in derived} == before


def test_what_is_lost_is_made_anew_under_the_same_authority(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    for name in ("rabbitmq.pem", "rabbitmq.key"):
        (tmp_path / name).unlink()
    make_secrets(tmp_path)
    made = x509.load_pem_x509_certificate((tmp_path / "rabbitmq.pem").read_bytes())
    made.verify_directly_issued_by(authority)


def test_the_folder_is_closed_and_the_authority_key_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_a_folder_that_was_there_is_closed_before_secrets_are_in_it(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for _ in ("empty", "made by us"):
        folder.chmod(mode)
        make_secrets(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_somebody_elses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)

    assert main(["secrets", str(folder)]) == 1
    assert "name a new folder" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_a_folder_that_others_work_in_is_neither_closed_nor_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "passwd").touch()
    folder.chmod(0o755)

    assert main(["secrets", str(folder)]) == 1
    assert "chmod 700" in capsys.readouterr().err
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert [path.name for path in folder.iterdir()] == ["passwd"]


def test_what_is_no_folder_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secrets").touch()
    assert main(["secrets", str(tmp_path / "secrets")]) == 1
    assert "name a folder" in capsys.readouterr().err


def test_every_component_has_a_role_and_a_broker_user_with_rights_over_its_own(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    names = {one.name for one in installed()}
    assert set(json.loads((tmp_path / "role_passwords").read_text())) == names
    made = json.loads((tmp_path / "definitions.json").read_text())
    assert {user["name"] for user in made["users"]} == names
    rights = {one["user"]: one for one in made["permissions"]}
    assert rights["ledger"]["configure"] == r"^(mykey\.v1|mykey\.v1\.call)\.ledger(\..+)?$"
    assert "password" not in {key for user in made["users"] for key in user}
