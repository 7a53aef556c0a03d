"""The demo's offer: whole or nothing, and offered on this machine alone."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub import demo_file
from hub.demo_file import DemoCard, DemoOffer, DemoPerson
from hub.settings import Settings

OFFER = DemoOffer(
    people=(DemoPerson(name="氏名 一", mykey_id="DEMO0001", password="x", card="T232343ABCDEF", about="試す"),),
    cards=(DemoCard(terminal_id="T232343ABCDEG", number=1),),
    mails="http://127.0.0.1:1",
)


def test_without_a_demo_nothing_is_offered(tmp_path: Path) -> None:
    assert demo_file.read(None) == demo_file.NOTHING
    assert demo_file.read(tmp_path / "not-there-yet.json") == demo_file.NOTHING
    assert Settings().demo_file is None


def test_what_was_written_is_offered_and_is_ours_to_read(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    demo_file.write(file, OFFER)
    assert demo_file.read(file) == OFFER
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_no_offer_offers_nothing(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    file.write_text('{"people": [{"name": "<script>"}]}', encoding="utf-8")
    assert demo_file.read(file) == demo_file.NOTHING


def test_a_demo_that_others_could_reach_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="MYKEY_HTTP_HOST"):
        Settings(demo_file=tmp_path / "demo.json", http_host="0.0.0.0")  # noqa: S104 - to be refused


def test_nothing_that_is_deployed_knows_of_the_demo() -> None:
    root = Path(__file__).parents[2]
    deployed = [root / "compose.yaml", *(file for file in (root / "deploy").rglob("*") if file.is_file())]
    assert [file.name for file in deployed if "DEMO_FILE" in file.read_text("utf-8", errors="ignore").upper()] == []
