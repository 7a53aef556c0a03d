"""The drop folder worked through: once whatever is offered, answered, put away; and killed at every step."""

import errno
import os
import stat
from pathlib import Path

import pytest

from connectors.street.layout import Fields, transaction_number
from schemas.streets import CipherMode
from street_software.menu import Menu, told
from street_software.store import StoreError
from street_software.taking import NoDropFolderError, Taking
from tests.connectors.street.vectors import key_of, sealing, unreadable
from tests.dying import deaths
from tests.street_software.world import Shop

FILES_LIMIT = 500

modes = pytest.mark.parametrize("mode", CipherMode)


@modes
def test_a_file_is_taken_in_answered_and_put_away(mode: CipherMode, tmp_path: Path) -> None:
    shop = Shop.at(tmp_path, mode)
    path = shop.merge(1)
    told = shop.run()
    assert (told.files, told.points, shop.points()) == (1, 300, 300)
    assert shop.left() == [f"{path.name}.ack"]
    assert shop.left("taken") == [path.name]


def test_without_its_drop_folder_it_says_to_make_it(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path)
    shop.drop.rmdir()
    with pytest.raises(NoDropFolderError, match=f"make it, .*{shop.drop}"):
        shop.run()
    shop.drop.mkdir()
    assert shop.run().files == 0


def test_the_same_file_again_adds_nothing_and_is_answered_again(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path)
    path = shop.merge(1)
    content = path.read_bytes()
    shop.run()
    (shop.drop / f"{path.name}.ack").unlink()
    for _ in range(2):
        path.write_bytes(content)
        assert shop.run().quarantined == {"seen": 1}
    assert (shop.points(), shop.reason(path)) == (300, "seen")
    assert shop.left() == [f"{path.name}.ack"]
    assert shop.left("quarantine") == sorted(
        [path.name, f"{path.name}.reason", f"{path.name}.1", f"{path.name}.1.reason"]
    )


@pytest.mark.parametrize(
    "what, reason",
    [
        ("another street's", "not_decrypted"), ("torn", "torn"), ("altered", "bad_hash"), ("huge", "too_big"),
        ("renamed", "bad_name"), ("ahead", "future"), ("old key", "old_key"), ("link", "not_a_file"),
        ("pipe", "not_a_file"), ("number reused", "number_reused"), ("empty", "torn"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_ours_goes_to_quarantine_unanswered(what: str, reason: str, tmp_path: Path) -> None:
    shop = Shop.at(tmp_path)
    shop.merge(1, points=50)
    shop.run()
    (shop.drop / "taken").rename(tmp_path / "taken")
    answered = shop.left()
    path = spoilt(shop, what, tmp_path)
    assert shop.run().quarantined == {reason: 1}
    assert shop.reason(path) == reason
    assert shop.left() == answered
    assert (shop.points(), shop.left("taken")) == (50, [])


def spoilt(shop: Shop, what: str, elsewhere: Path) -> Path:
    """A file that is not to be taken."""
    if what == "another street's":
        path, made = shop.merge(2), sealing(shop.layout, key=key_of(CipherMode.cbc, first=99))
        fields = Fields("520625", 300, transaction_number(shop.now, 2))
        path.write_bytes(unreadable(made, fields, [key_of(CipherMode.cbc)]))
        return path
    if what == "ahead":
        shop.later(minutes=30)
        path = shop.merge(2)
        shop.later(minutes=-30)
        return path
    if what == "number reused":
        return shop.merge(1, points=51)
    path = shop.merge(2)
    content = path.read_bytes()
    if what == "old key":
        shop.later(days=300)
    elif what == "renamed":
        path = path.rename(path.with_name("merge-honmachi-20171002101530000003.mpf"))
    elif what in {"link", "pipe"}:
        path.unlink()
        secret = elsewhere / "secret"
        secret.write_bytes(content)
        path.symlink_to(secret) if what == "link" else os.mkfifo(path)
    else:
        altered = bytes([content[0], content[1] ^ 1]) + content[2:]
        path.write_bytes({"torn": content[:40], "altered": altered, "huge": bytes(1 << 20), "empty": b""}[what])
    return path


def test_an_id_that_is_no_member_is_sent_back_for_ever(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path, unknown_members="refuse")
    path = shop.merge(1)
    content = path.read_bytes()
    told = shop.run()
    assert (told.files, told.points, told.sent_back) == (0, 0, 1)
    nack = shop.drop / f"{path.name}.nack"
    assert nack.read_text(encoding="utf-8") == "unknown_member"
    nack.unlink()
    store = shop.store()
    store.open_account("520625")
    store.close()
    path.write_bytes(content)
    assert shop.run().quarantined == {"seen": 1}
    assert (shop.points(), nack.exists()) == (0, True)  # the hub has given those points back


@pytest.mark.parametrize("unknown_members", ["open", "refuse"])
def test_killed_at_every_step_it_goes_on_where_it_was(unknown_members: str, tmp_path: Path) -> None:
    """F08: each number once, each file answered and put away once, whatever is cut short."""
    shop = Shop.at(tmp_path, unknown_members=unknown_members)
    is_open = unknown_members == "open"
    dropped = [shop.merge(0, points=1)]

    def receive() -> None:
        shop.run()

    for nth in deaths(receive):
        assert shop.run().quarantined == {}
        assert [name for name in shop.left() if name.endswith(".mpf")] == []
        assert shop.points() == (sum(range(1, nth + 1)) if is_open else None)
        dropped.append(shop.merge(nth, points=nth + 1))
    assert len(dropped) > 10
    assert shop.left() == sorted(f"{path.name}{'.ack' if is_open else '.nack'}" for path in dropped)
    assert shop.left("taken") == sorted(path.name for path in dropped)
    assert shop.left("quarantine") == []


def test_a_folder_that_is_full_or_away_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop.at(tmp_path)
    path = shop.merge(1)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            shop.run()
    assert (shop.points(), path.exists()) == (300, True)
    assert shop.run().quarantined == {}
    assert (shop.points(), shop.left()) == (300, [f"{path.name}.ack"])


def test_a_file_that_cannot_be_read_is_named_and_holds_no_other_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop.at(tmp_path)
    locked, other = shop.merge(1), shop.merge(2)
    opened = os.open

    def guarded(path: Path, *how: int) -> int:
        if Path(path) == locked:  # the tests may run as root, whom no mode stops
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *how)

    store = shop.store()
    taking = Taking(shop.settings, store, lambda: shop.now)
    with monkeypatch.context() as patched, caplog.at_level("WARNING", "mykey-street"):
        patched.setattr(os, "open", guarded)
        taken = taking.run()
        assert (taken.points, taken.passed_over) == (300, [locked.name])
        assert taking.run().passed_over == [locked.name]
    assert [locked.name in line for line in caplog.messages] == [True]
    assert f"未処理 1 件。ファイルの所有者と権限を確認してください: {locked.name}" in told(taken)
    assert shop.left() == [locked.name, f"{other.name}.ack"]
    assert taking.run().points == 300
    store.close()


def test_an_answer_can_be_read_by_the_terminals_program_whatever_the_umask(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path)
    path = shop.merge(1)
    before = os.umask(0o077)
    try:
        shop.run()
    finally:
        os.umask(before)
    assert stat.S_IMODE((shop.drop / f"{path.name}.ack").stat().st_mode) == 0o644


def test_a_full_disk_below_the_points_is_told_and_adds_nothing_twice(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path)
    store = shop.store()
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    taking = Taking(shop.settings, store, lambda: shop.now)
    points = 0

    def take_many() -> None:
        nonlocal points
        for serial in range(FILES_LIMIT):
            shop.merge(serial, points=1)
            points += taking.run().points

    with pytest.raises(StoreError) as raised:
        take_many()
    assert raised.value.errno == errno.ENOSPC
    assert (store.points_of("520625"), store.totals()) == (points, (points, points))
    said: list[str] = []
    typed = iter(["1", "9"])
    menu = Menu(shop.settings, store, said.append, lambda _: next(typed))
    menu._taking._now = lambda: shop.now
    menu.run()
    assert any("ディスクの空き" in line for line in said)
    store._database.execute(f"PRAGMA max_page_count = {pages + 100}")
    assert taking.run().points == 1
    assert store.points_of("520625") == points + 1
    store.close()


def test_the_menu_takes_in_looks_up_and_lists(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path)
    shop.merge(1)
    torn = shop.merge(2)
    torn.write_bytes(b"torn")
    said: list[str] = []
    typed = iter(["1", "2", "520625", "2", "nobody", "3", "x", "9"])
    store = shop.store()
    # The menu has no clock of its own: the files are of 2017, and so are their keys.
    menu = Menu(shop.settings, store, said.append, lambda _: next(typed))
    menu._taking._now = lambda: shop.now
    menu.run()
    store.close()
    text = "\n".join(said)
    for line in (
        "合算ポイント受取",
        "受取 1 件、300 ポイントを加算しました。",
        "隔離 1 件: ファイルが途中で切れて",
        "300 ポイント",
    ):
        assert line in text
    assert "そのIDはありません" in text
