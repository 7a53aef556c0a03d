"""The screen of the street's program, in a terminal: 「合算ポイント受取」 and what a shop looks up."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from street_software import files
from street_software.settings import Settings
from street_software.store import Store
from street_software.taking import Taken, Taking

TITLE: Final = "商店街ポイント活用ソフト"
_CHOICES: Final = """
  {title}（{street}）

  1  合算ポイント受取
  2  ポイント照会
  3  隔離ファイルの一覧
  9  終了
"""
_NAMES_LIMIT: Final = 5
"""Of files that a line names."""
_REASONS: Final = {
    "not_a_file": "通常のファイルではありません",
    "too_big": "ファイルが大きすぎます",
    "torn": "ファイルが途中で切れています",
    "not_decrypted": "復号できません（他の商店街のファイル、改ざん、破損のいずれか）",
    "old_key": "有効期間外の鍵で暗号化されています",
    "unknown_key": "知らない鍵で暗号化されています",
    "other_street": "他の商店街のファイルです",
    "bad_signature": "センターの署名がありません",
    "bad_record": "内容の形式が違います",
    "bad_hash": "改ざん検知用ハッシュが一致しません",
    "future": "取引済番号の日時が未来です（時計を確認してください）",
    "bad_name": "ファイル名と取引済番号が一致しません",
    "seen": "取引済番号は受取済みです",
    "number_reused": "取引済番号が別の内容で使われています",
}


class Menu:
    """Asks and shows until it is left."""

    def __init__(self, settings: Settings, store: Store, say: Callable[[str], None], ask: Callable[[str], str]) -> None:
        self._settings = settings
        self._taking = Taking(settings, store)
        self._store = store
        self._say = say
        self._ask = ask

    def run(self) -> None:
        """Until 9, or the end of the input."""
        acts = {"1": self._receive, "2": self._points, "3": self._quarantine}
        while True:
            self._say(_CHOICES.format(title=TITLE, street=self._settings.street))
            try:
                chosen = self._ask("番号を入力してください: ").strip()
                if chosen == "9":
                    return
                self._done(acts.get(chosen, self._unknown))
            except EOFError:
                return

    def _done(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            self._say(
                f"受取フォルダを使えません。フォルダとディスクの空きを確認してください。（{type(error).__name__}）"
            )

    def _receive(self) -> None:
        self._say(told(self._taking.run()))

    def _points(self) -> None:
        points = self._store.points_of(self._ask("商店街ポイントID: ").strip())
        self._say("そのIDはありません。番号を確認してください。" if points is None else f"{points:,} ポイント")

    def _quarantine(self) -> None:
        folder = self._settings.drop_folder / files.QUARANTINE
        lines = [_quarantined(path) for path in sorted(folder.glob(f"*{files.REASON}"))] if folder.is_dir() else []
        self._say("\n".join(lines) or "隔離されたファイルはありません。")

    def _unknown(self) -> None:
        self._say("1、2、3、9 のどれかを入力してください。")


def told(taken: Taken) -> str:
    """What a run did, for a person."""
    lines = [f"受取 {taken.files} 件、{taken.points:,} ポイントを加算しました。"]
    if taken.sent_back:
        lines.append(f"返却 {taken.sent_back} 件（会員ではないID）。ポイントは利用者に戻ります。")
    lines += [f"隔離 {count} 件: {_REASONS.get(reason, reason)}" for reason, count in sorted(taken.quarantined.items())]
    if taken.passed_over:
        names = "、".join(taken.passed_over[:_NAMES_LIMIT])
        lines.append(f"未処理 {len(taken.passed_over)} 件。ファイルの所有者と権限を確認してください: {names}")
    return "\n".join(lines)


def _quarantined(path: Path) -> str:
    reason = path.read_text(encoding="utf-8")
    return f"{path.name.removesuffix(files.REASON)}: {_REASONS.get(reason, reason)}"
