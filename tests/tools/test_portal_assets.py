"""The build of the portal's look: names follow content, tokens become Sass, a fault is told."""

import json
from pathlib import Path

import pytest

from tools import portal_assets
from tools.portal_assets import BUILT, NPM_FOLDER, BuildError, build, npm, sass_variables


def test_design_tokens_become_sass_variables() -> None:
    css = ":root {\n  --color-blue-900: #0017c1;\n  --color-error: var(--color-blue-900);\n}\n"
    assert sass_variables(css) == "$color-blue-900: #0017c1;\n$color-error: $color-blue-900;\n"


def test_the_same_sources_make_the_same_names(tmp_path: Path) -> None:
    names = build(NPM_FOLDER, tmp_path / "built")
    assert json.loads((tmp_path / "built" / "names.json").read_text("utf-8")) == names
    assert json.loads((BUILT / "names.json").read_text("utf-8")) == names
    script = (tmp_path / "built" / names["portal.js"]).read_text("utf-8")
    assert f'from "./{names["govuk-frontend.js"]}"' in script


def test_the_style_sheet_is_ours() -> None:
    names = json.loads((BUILT / "names.json").read_text("utf-8"))
    style = (BUILT / names["portal.css"]).read_text("utf-8")
    assert "#0017c1" in style
    assert "Noto Sans JP" in style
    for theirs in ("GDS Transport", "crown", "url(/assets"):
        assert theirs not in style


def test_a_fault_in_the_sources_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "portal.scss").write_text("a { color: $nobody }", "utf-8")
    monkeypatch.setattr(portal_assets, "SOURCES", sources)
    with pytest.raises(BuildError, match=r"\$nobody"):
        portal_assets.style_sheet(NPM_FOLDER)


def test_a_machine_without_npm_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.portal_assets.shutil.which", lambda _name, path=None: path and None)
    with pytest.raises(BuildError, match=r"make \.venv/\.node"):
        npm()


def test_the_lock_file_names_no_place(tmp_path: Path) -> None:
    lock = json.loads((portal_assets.SOURCES / "package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert all("resolved" not in one and one["integrity"] for one in packages.values())
    assert tmp_path.exists()
