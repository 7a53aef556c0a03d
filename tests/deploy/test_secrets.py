"""`mykey-hub secrets` makes what is missing, keeps what is there, and shows it to nobody who is not handed it."""

import json
import stat
from pathlib import Path

from cryptography import x509

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


def test_every_component_has_a_role_and_a_broker_user_with_rights_over_its_own(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    names = {one.name for one in installed()}
    assert set(json.loads((tmp_path / "role_passwords").read_text())) == names
    made = json.loads((tmp_path / "definitions.json").read_text())
    assert {user["name"] for user in made["users"]} == names
    rights = {one["user"]: one for one in made["permissions"]}
    assert rights["ledger"]["configure"] == r"^(mykey\.v1|mykey\.v1\.call)\.ledger(\..+)?$"
    assert "password" not in {key for user in made["users"] for key in user}
