"""What the docs tell a stranger to type is typed, in their order, in an empty folder, against a running sandbox."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]  # the sandbox has to start first

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "examples" / "partner_client.py"
LIMIT_S = 150
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, until: str) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of a page, up to a heading."""
    page = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return BLOCK.findall(page[: page.index(f"\n## {until}\n")])


def script(typed: list[tuple[str, str]]) -> Iterator[str]:
    """All of it as one script; Python blocks that follow one another are one program, as in a session."""
    before = ""
    for number, (language, text) in enumerate(typed, 1):
        if before == "python" != language:
            yield "TYPED_PYTHON\n"
        if language == "python" != before:
            yield "python3 - <<'TYPED_PYTHON'\n"
        yield f'print("== block {number}", flush=True)\n' if language == "python" else f"echo == block {number}\n"
        yield text
        before = language
    if before == "python":
        yield "TYPED_PYTHON\n"


def run(typed: list[tuple[str, str]], sandbox_url: str, folder: Path) -> None:
    shutil.copy(CLIENT, folder)
    file = folder.with_suffix(".sh")
    file.write_text("".join(script(typed)), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", str(file)],
        cwd=folder,
        env={"PATH": path, "HUB": sandbox_url, "PYTHONWARNINGS": "error", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not installed")
def test_a_partner_gets_from_nothing_to_a_posted_transfer_and_on(sandbox_url: str, tmp_path: Path) -> None:
    typed = blocks("partners.md", until="The interface")
    assert {language for language, _text in typed} == {"sh", "python"}
    run(typed, sandbox_url, tmp_path)


def test_a_shop_gets_from_nothing_to_a_captured_order(sandbox_url: str, tmp_path: Path) -> None:
    run(blocks("checkout.md", until="From your server"), sandbox_url, tmp_path)


def test_the_japanese_page_has_the_same_to_type() -> None:
    english = blocks("partners.md", until="The interface")
    assert blocks("partners.ja.md", until="本番での利用") == english
