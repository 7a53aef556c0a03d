"""Settings are checked at start; secrets that are missing, short or easily guessed are refused."""

import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from hub import settings as subject
from hub.__main__ import main
from hub.settings import Settings, WeakSecretError

STRONG = "0123456789abcdef0123456789abcdef"
SERVER = "postgresql://mykey_owner@db.internal/mykey"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MYKEY_")]:
        monkeypatch.delenv(name)


def test_nothing_need_be_set_for_the_embedded_server() -> None:
    read = Settings()
    assert read.is_embedded
    assert read.data_dir.is_absolute()
    assert read.own_url == "http://127.0.0.1:8080"


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", SERVER)
    monkeypatch.setenv("MYKEY_SECRET_KEY", STRONG)
    monkeypatch.setenv("MYKEY_ROLE_PASSWORDS", '{"ledger": "correct horse battery"}')
    monkeypatch.setenv("MYKEY_POOL_SIZES", '{"ledger": 16}')
    monkeypatch.setenv("MYKEY_PUBLIC_URL", "https://mykey.example/")
    read = Settings()
    assert not read.is_embedded
    assert read.key() == STRONG.encode()
    assert read.role_passwords["ledger"].get_secret_value() == "correct horse battery"
    assert (read.pool_size_of("ledger"), read.pool_size_of("mail")) == (16, 4)
    assert read.own_url == "https://mykey.example"


def test_secrets_come_from_files_and_a_variable_goes_before_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mykey_secret_key").write_text(f"{STRONG}\n")
    (tmp_path / "mykey_role_passwords").write_text('{"ledger": "correct horse battery"}')
    (tmp_path / "mykey_mail_from_name").write_text("from the file")
    (tmp_path / "somebody_elses").write_text("not ours")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("MYKEY_MAIL_FROM_NAME", "from the environment")
    read = Settings()
    assert read.key() == STRONG.encode()
    assert read.role_passwords["ledger"].get_secret_value() == "correct horse battery"
    assert read.mail_from_name == "from the environment"


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose.yaml passes on what nobody has said."""
    monkeypatch.setenv("MYKEY_OPERATOR_MAIL_TO", "")
    monkeypatch.setenv("MYKEY_SMTP_PORT", "")
    assert (Settings().operator_mail_to, Settings().smtp_port) == (None, 25)


def test_secrets_do_not_show_themselves() -> None:
    read = Settings(secret_key=SecretStr(STRONG), role_passwords={"ledger": SecretStr("correct horse battery")})
    assert STRONG not in repr(read)
    assert "horse" not in repr(read)


@pytest.mark.parametrize("key", ["short", "x" * 64, "changeme" * 3])
def test_weak_keys_are_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="secret key"):
        Settings(secret_key=SecretStr(key))


@pytest.mark.parametrize("password", ["postgres", "aaaaaaaaaaaaaaaaaaaa", "パスワードパスワードパスワード", "a\nb" * 9])
def test_weak_role_passwords_are_refused(password: str) -> None:
    with pytest.raises(ValidationError, match="password"):
        Settings(role_passwords={"ledger": SecretStr(password)})


def test_a_server_of_ones_own_needs_a_key_of_ones_own() -> None:
    with pytest.raises(ValidationError, match="MYKEY_SECRET_KEY"):
        Settings(database_url=SERVER)


@pytest.mark.parametrize(
    "name, value",
    [
        ("MYKEY_DATABASE_URL", "mysql://db/mykey"),
        ("MYKEY_PUBLIC_URL", "ftp://mykey.example"),
        ("MYKEY_PUBLIC_URL", "https://mykey.example/?q=1"),
        ("MYKEY_PUBLIC_URL", "http://mykey.example"),
        ("MYKEY_PUBLIC_URL", "http://127.0.0.1.mykey.example"),
        ("MYKEY_HTTP_PORT", "0"),
        ("MYKEY_POOL_SIZE", "0"),
        ("MYKEY_LOG_LEVEL", "loud"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("SECRET_KEY", "hunter2", "MYKEY_SECRET_KEY: the secret key must have at least 32 bytes"),
        ("DATABASE_URL", "postgresql://owner:hunter2@db/mykey", "needs MYKEY_SECRET_KEY"),
        ("ROLE_PASSWORDS", '{"ledger": "hunter2"}', "MYKEY_ROLE_PASSWORDS: "),
        ("POOL_SIZES", '{"ledger": "hunter2"}', "MYKEY_POOL_SIZES (ledger): "),
        ("POOL_SIZES", "hunter2", "pool_sizes"),
    ],
)
def test_a_mistake_is_told_by_its_setting_and_without_what_it_was(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"MYKEY_{name}", value)
    for command in (["up"], ["trace", "x"], ["verify"], ["parties", "list"], ["console", "flow"]):
        assert main(command) == 1
        shown = capsys.readouterr()
        assert told in shown.err
        assert "hunter2" not in shown.out + shown.err
        assert "Traceback" not in shown.err


def test_partitions_are_named_by_ranges() -> None:
    read = Settings.model_validate({"partition_databases": {"8-9": SERVER, "15": f"{SERVER}2"}})
    assert read.databases_of_partitions() == {8: SERVER, 9: SERVER, 15: f"{SERVER}2"}


@pytest.mark.parametrize(
    "named",
    [{"0-15": SERVER}, {"8-16": SERVER}, {"9-8": SERVER}, {"1-3": SERVER, "3": SERVER}, {"x": SERVER}, {"1": "db"}],
)
def test_partitions_that_cannot_be_meant_are_refused(named: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"partition_databases": named})


def test_an_ipv6_address_is_bracketed() -> None:
    assert Settings(http_host="::1", http_port=9000).own_url == "http://[::1]:9000"


def test_the_embedded_key_is_made_once_and_kept_to_ourselves(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = Settings(data_dir=folder).key()
    assert len(first) >= subject.SECRET_KEY_LEAST_BYTES
    assert Settings(data_dir=folder).key() == first
    assert Settings(data_dir=tmp_path / "other").key() != first
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


def test_a_damaged_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("short")
    with pytest.raises(WeakSecretError, match="backup"):
        Settings(data_dir=tmp_path).key()


def test_data_lies_where_the_desktop_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert subject.default_data_dir() == tmp_path / ".local" / "share" / "mykey-hub"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert subject.default_data_dir() == tmp_path / ".local" / "share" / "mykey-hub"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert subject.default_data_dir() == tmp_path / "xdg" / "mykey-hub"


def test_root_keeps_its_data_outside_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert subject.default_data_dir() == Path("/var/lib/mykey-hub")
