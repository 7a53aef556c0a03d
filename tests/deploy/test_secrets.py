"""`mykey-hub secrets` makes what is missing, keeps what is there, and shows it to nobody who is not handed it."""

import json
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

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


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "definitions.json"}


def changed(folder: Path, before: dict[str, bytes]) -> set[str]:
    return {name for name, content in read(folder).items() if before.get(name) != content}


def fits(folder: Path, name: str) -> bool:
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
    key = load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    return certificate.public_key() == key.public_key()


@pytest.mark.parametrize("lost", ["public.pem", "public.key", "postgres.pem", "rabbitmq.key"])
def test_a_certificate_and_its_key_are_made_anew_together(lost: str, tmp_path: Path) -> None:
    make_secrets(tmp_path)
    before = read(tmp_path)
    (tmp_path / lost).unlink()
    make_secrets(tmp_path)
    name = lost.partition(".")[0]
    assert changed(tmp_path, before) == {f"{name}.pem", f"{name}.key"}
    assert fits(tmp_path, name)


def test_a_pair_that_does_not_belong_together_is_told_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_secrets(tmp_path)
    (tmp_path / "public.key").chmod(0o600)
    (tmp_path / "public.key").write_bytes((tmp_path / "postgres.key").read_bytes())
    before = read(tmp_path)
    assert main(["secrets", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "public.key is not the key of public.pem" in told
    assert changed(tmp_path, before) == set()


def test_what_is_no_certificate_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_secrets(tmp_path)
    (tmp_path / "public.pem").chmod(0o600)
    (tmp_path / "public.pem").write_text("mine")
    assert main(["secrets", str(tmp_path)]) == 1
    assert "public.pem or public.key cannot be read" in capsys.readouterr().err


def test_whoever_is_killed_between_the_two_leaves_none_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_secrets(tmp_path)
    (tmp_path / "public.key").unlink()
    put = Path.replace
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda work, path: path.name.endswith(".pem") or put(work, path))
        make_secrets(tmp_path)
    assert not (tmp_path / "public.pem").exists()
    make_secrets(tmp_path)
    assert fits(tmp_path, "public")


def test_the_authority_s_key_may_be_kept_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_secrets(tmp_path)
    kept = (tmp_path / "ca.key").read_bytes()
    (tmp_path / "ca.key").unlink()
    before = read(tmp_path)
    make_secrets(tmp_path)
    assert changed(tmp_path, before) == set()
    (tmp_path / "rabbitmq.pem").unlink()

    assert main(["secrets", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "ca.key is not here: put it back" in told
    assert (tmp_path / "rabbitmq.key").read_bytes() == before["rabbitmq.key"]

    (tmp_path / "ca.key").write_bytes(kept)
    make_secrets(tmp_path)
    made = x509.load_pem_x509_certificate((tmp_path / "rabbitmq.pem").read_bytes())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(before["ca.pem"]))


def test_another_authority_s_key_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_secrets(tmp_path)
    (tmp_path / "ca.key").write_bytes((tmp_path / "postgres.key").read_bytes())
    assert main(["secrets", str(tmp_path)]) == 1
    assert "is not the key of" in capsys.readouterr().err


def test_the_authority_s_certificate_is_made_again_of_its_key(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    (tmp_path / "ca.pem").unlink()
    make_secrets(tmp_path)
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    x509.load_pem_x509_certificate((tmp_path / "postgres.pem").read_bytes()).verify_directly_issued_by(authority)


@pytest.mark.parametrize("name", ["owner", "backup"])
@pytest.mark.parametrize("lost", ["password", "url"])
def test_a_password_and_its_url_are_made_anew_together(
    name: str, lost: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_secrets(tmp_path)
    before = read(tmp_path)
    (tmp_path / f"{name}_{lost}").unlink()
    make_secrets(tmp_path)
    assert changed(tmp_path, before) == {f"{name}_password", f"{name}_url"}
    assert f":{(tmp_path / f'{name}_password').read_text()}@" in (tmp_path / f"{name}_url").read_text()
    assert f"ALTER ROLE mykey_{name} PASSWORD" in capsys.readouterr().err


def test_a_password_that_its_url_does_not_hold_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_secrets(tmp_path)
    (tmp_path / "owner_password").unlink()
    (tmp_path / "owner_password").write_text("another one altogether")
    before = read(tmp_path)
    assert main(["secrets", str(tmp_path)]) == 1
    assert "owner_url holds another password than owner_password" in capsys.readouterr().err
    assert changed(tmp_path, before) == set()


def test_another_database_server_has_a_certificate_in_its_own_name(tmp_path: Path) -> None:
    make_secrets(tmp_path, "--books", "books.example.jp")
    made = x509.load_pem_x509_certificate((tmp_path / "books-books.example.jp.pem").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "books.example.jp" in names.get_values_for_type(x509.DNSName)
    assert fits(tmp_path, "books-books.example.jp")


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
