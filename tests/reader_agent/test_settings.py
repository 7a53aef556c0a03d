"""agent.toml: what it may say."""

from pathlib import Path

import pytest

from reader_agent.settings import PAGE_PORT, BadSettingsError, default_folder, load


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_has_to_be_said_is_where_the_hub_is(tmp_path: Path, encoding: str) -> None:
    text = 'hub_url = "https://hub.example.jp"\nnotify_folder = "/srv/numbers"\n'
    (tmp_path / "agent.toml").write_text(text, encoding=encoding)
    settings = load(tmp_path)
    assert (settings.hub_url, settings.page_port) == ("https://hub.example.jp", PAGE_PORT)
    assert settings.notify_folder == Path("/srv/numbers")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hub_url = ",
        'hub_url = "http://hub.example.jp"',
        'hub_url = "https://hub.example.jp/"',
        'hub_url = "https://user@hub.example.jp"',
        'hub_url = "https://hub.example.jp"\npage_port = 40000',
        'hub_url = "https://hub.example.jp"\npage_port = 80',
        'hub_url = "https://hub.example.jp"\npin = "1234"',
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(BadSettingsError, match=r"agent\.toml"):
        load(tmp_path)


def test_no_file_is_a_fault_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError, match=r"agent\.toml"):
        load(tmp_path)


def test_systemd_keeps_settings_apart_from_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path))
    (tmp_path / "agent.toml").write_text('hub_url = "https://hub.example.jp"')
    assert load(tmp_path / "state").hub_url == "https://hub.example.jp"


def test_systemd_or_a_person_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/mykey-agent")
    assert default_folder() == Path("/var/lib/mykey-agent")
    monkeypatch.setenv("MYKEY_AGENT_DIR", "/tmp/agent")  # noqa: S108 - a name only
    assert default_folder() == Path("/tmp/agent")  # noqa: S108 - a name only
