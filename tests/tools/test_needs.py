"""What is missing is brought where we may, and told in one line where not; nothing is started meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tools import needs
from tools.needs import Client, Need


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for a program, not there yet; it is all that is needed."""
    path = tmp_path / "program"
    monkeypatch.setattr(needs, "NEEDS", {"it": Need("its-package", path, "all about it")})
    return path


def test_what_is_here_is_not_installed(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.touch()
    assert needs.main(["it"], allowed=lambda _: True, bring=_never) == 0
    assert not capsys.readouterr().out


def test_what_is_missing_is_installed(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def bring(client: Client, packages: Sequence[str]) -> None:
        assert (client, packages) == ("apt", ["its-package"])
        program.touch()

    assert needs.main(["it"], allowed=lambda _: True, bring=bring) == 0
    assert not capsys.readouterr().out


def test_a_need_of_several_packages_is_here_when_all_of_it_is(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = program.with_name("other")
    monkeypatch.setattr(needs, "NEEDS", {"it": Need("one two", program, "all about it", also=(other,))})
    program.touch()
    brought: list[str] = []

    def bring(_: Client, packages: Sequence[str]) -> None:
        brought.extend(packages)
        other.touch()

    assert needs.main(["it"], allowed=lambda _: True, bring=bring) == 0
    assert brought == ["one", "two"]
    assert not needs.missing(["it"])


@pytest.mark.usefixtures("program")
def test_who_may_not_install_is_told_what_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert needs.main(["it"], allowed=lambda _: False, bring=_never) == 0
    assert capsys.readouterr().out == "skipped: all about it, because its-package is not here (install it)\n"


@pytest.mark.usefixtures("program")
def test_a_failed_installation_is_told_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert needs.main(["it"], allowed=lambda _: True, bring=lambda *_: "E: no network") == 0
    assert capsys.readouterr().out == "skipped: all about it, because its-package is not here (E: no network)\n"


def test_each_client_brings_its_own_and_tells_what_it_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program, schema = (Need(f"{it}-package", tmp_path / it, f"all about {it}") for it in ("program", "schema"))
    monkeypatch.setattr(needs, "NEEDS", {"program": program, "schema": replace(schema, client="npm")})

    def bring(client: Client, packages: Sequence[str]) -> str:
        return f"{client} cannot bring {packages}"

    assert needs.main(["program", "schema"], allowed=lambda client: client == "npm", bring=bring) == 0
    assert capsys.readouterr().out.splitlines() == [
        "skipped: all about program, because program-package is not here (install it)",
        "skipped: all about schema, because schema-package is not here (npm cannot bring ['schema-package'])",
    ]


def test_a_package_that_needs_others_comes_by_its_lock_file_which_names_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str], *_: object) -> None:
        commands.append(command)

    monkeypatch.setattr(needs, "NPM_FOLDER", tmp_path)
    monkeypatch.setattr(needs, "_run", run)
    assert needs.install("npm ci", ["oidc-provider"]) is None
    assert commands[0][:2] == ["npm", "ci"]
    lock = (tmp_path / "oidc-provider" / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://" not in lock


def test_services_are_kept_down_only_meanwhile(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with needs.services_kept_down(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 101\n"
        assert policy.stat().st_mode & 0o111 == 0o111
    assert not policy.exists()


def test_a_policy_of_the_machine_is_left_alone(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    with needs.services_kept_down(policy):
        pass
    assert policy.read_text() == "theirs"


def _never(*_: object) -> None:
    raise AssertionError("nothing was to be installed")
