"""The main story, whole: the very command of the README, on the demo world and on a small one made here."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.values import lg_check_digit

STORY_TIMEOUT_S = 240

CITIZENS = 40
ROWS = 200


def play(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "hub", "story", "--json", str(report), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=STORY_TIMEOUT_S, check=False)
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return done.returncode, found, done.stdout + done.stderr


@pytest.mark.timeout(STORY_TIMEOUT_S + 30)
def test_the_demo_world(tmp_path: Path) -> None:
    status, report, screen = play(tmp_path)
    assert status == 0, screen
    assert report["posted"] == 19_500
    assert report["points"] == 59_159_500
    assert report["replayed"] == 200
    assert report["refused"] == {
        "bad_code": 40,
        "bad_points": 60,
        "id_conflict": 50,
        "no_scheme": 50,
        "unknown_link": 100,
    }
    assert sum(report["reserve"].values()) + sum(report["scheme"].values()) == report["points"]
    assert report["mails"] > 0
    assert report["merged"] == 300
    assert report["linked"] == {"posted": 2_000, "moved": 1_500}
    assert report["paid"] == {"captured": 600, "refunded": 250, "invested": 500}
    assert report["coupons"] == 1_300
    assert report["verify"] == "ok"
    assert report["ok"] is True
    assert set(report["seconds"]) >= {"start", "world", "import", "sweep", "expiry", "mails", "verify", "total"}


@pytest.mark.timeout(STORY_TIMEOUT_S + 30)
def test_another_world_of_the_same_form(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    folder.mkdir()
    make_world(folder)
    status, report, screen = play(tmp_path, "--data", str(folder))
    assert status == 0, screen
    assert report["posted"] == ROWS - 4
    assert report["refused"] == {"bad_points": 2, "id_conflict": 1}
    assert report["replayed"] == 1


@pytest.mark.timeout(STORY_TIMEOUT_S + 30)
def test_over_rabbitmq_with_two_processes_of_every_component(
    tmp_path: Path, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "world"
    folder.mkdir()
    make_world(folder)
    monkeypatch.setenv("MYKEY_AMQP_URL", amqp_url)
    status, report, screen = play(tmp_path, "--data", str(folder), "--transport", "rabbitmq")
    assert status == 0, screen
    assert report["posted"] == ROWS - 4
    assert report["broker"]["brought"] > 0


def test_no_world_is_said_in_one_line(tmp_path: Path) -> None:
    status, _, screen = play(tmp_path, "--data", str(tmp_path))
    assert status == 1
    assert "WorldError" in screen
    assert "Traceback" not in screen


def make_world(folder: Path) -> None:
    """Three municipalities, forty citizens, two hundred transfers: two bad amounts, a row twice, an id used again."""
    codes = [five + lg_check_digit(five) for five in ("13101", "27100", "40130")]
    rules = ("none", "months:12", "months:3")
    write(
        folder / "world-schemes.csv",
        ["lg_code", "municipality", "point_name", "expiry_rule"],
        [[code, "区市", "ポイント", rule] for code, rule in zip(codes, rules, strict=True)],
    )
    write(
        folder / "world-citizens.csv",
        ["mykey_id", "airline_link_id", "name", "mail", "base_lg_code", "mail_on_grant"],
        [
            [f"K{n:07}", f"al-{n}", "山田 太郎", f"user{n}@mail.example", codes[n % 3], "yes" if n % 4 else "no"]
            for n in range(CITIZENS)
        ],
    )
    rows = [
        [f"T{n}", f"al-{n % CITIZENS}", str(100 + n), f"scheme:{codes[n % 3]}" if n % 2 else "reserve"]
        for n in range(ROWS)
    ]
    rows[10][2], rows[150][2] = "٣", "007"
    rows[120], rows[160] = list(rows[20]), [*rows[30][:2], "9", rows[30][3]]
    write(
        folder / "airline-transfers-2020-02.csv",
        ["transfer_id", "link_id", "points", "to", "occurred_at"],
        [[*row, "2020-02-29T12:00:00+09:00"] for row in rows],
    )


def write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
