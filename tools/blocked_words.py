"""Writes the words that a password may not be made of: `python -m tools.blocked_words`.

Common passwords and this product's words stand in `common_passwords.txt` beside this file; the municipalities come
from the registry's list, as they are written and as they are typed: with and without 市, 町 or 村, in kana, in Latin
letters.
"""

import csv
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "hub" / "data" / "blocked_words.txt"
COMMON: Final = ROOT / "tools" / "common_passwords.txt"
MUNICIPALITIES: Final = ROOT / "workers" / "registry" / "data" / "municipalities.csv"
HEAD: Final = "# Words that passwords may not be made of; written by tools/blocked_words.py, not by hand.\n"
LATIN_LEAST_CHARACTERS: Final = 4
KANA_LEAST_CHARACTERS: Final = 3
KANJI_LEAST_CHARACTERS: Final = 2
"""Shorter ones (`ube`, `つし`) stand in too many other words."""

KINDS: Final = re.compile("[都道府県市区町村]$")
KANA_KINDS: Final = re.compile("(と|ふ|けん|し|く|ちょう|まち|むら|そん)$")
ROWS: Final = {
    "": "あいうえお",
    "k": "かきくけこ",
    "g": "がぎぐげご",
    "s": "さしすせそ",
    "z": "ざじずぜぞ",
    "t": "たちつてと",
    "d": "だぢづでど",
    "n": "なにぬねの",
    "h": "はひふへほ",
    "b": "ばびぶべぼ",
    "p": "ぱぴぷぺぽ",
    "m": "まみむめも",
    "r": "らりるれろ",
}
LATIN: Final = {
    kana: consonant + vowel for consonant, row in ROWS.items() for kana, vowel in zip(row, "aiueo", strict=True)
} | {"や": "ya", "ゆ": "yu", "よ": "yo", "わ": "wa", "ゐ": "i", "ゑ": "e", "を": "o", "ん": "n", "ゔ": "vu"}
HEPBURN: Final = {"し": "shi", "ち": "chi", "つ": "tsu", "ふ": "fu", "じ": "ji", "ぢ": "ji", "づ": "zu"}
SMALL: Final = {"ゃ": "a", "ゅ": "u", "ょ": "o"}


def latin(kana: str) -> str:
    """Hiragana in Hepburn's Latin letters, long vowels as they are written: `とうきょう` → `toukyou`."""
    text = ""
    for sign in kana:
        if sign in SMALL:
            text = text[:-1] + ("" if text.endswith(("shi", "chi", "ji")) else "y") + SMALL[sign]
        else:
            text += HEPBURN.get(sign, LATIN.get(sign, sign))
    return re.sub("っ(.)", lambda found: ("t" if found[1] == "c" else found[1]) + found[1], text)


def forms(name: str, kana: str) -> Iterator[str]:
    """One municipality as people type it."""
    yield from (name, KINDS.sub("", name), kana, KANA_KINDS.sub("", kana))
    for typed in (latin(kana), latin(KANA_KINDS.sub("", kana))):
        yield typed
        yield typed.replace("ou", "o").replace("oo", "o").replace("uu", "u")


def words() -> list[str]:
    """All of them, sorted, folded as hub/passwords.py folds what it compares with them."""
    found = {line.strip() for line in COMMON.read_text("utf-8").splitlines() if not line.startswith("#")}
    with MUNICIPALITIES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.update(forms(row["name"], row["kana_hiragana"]))
    folded = {unicodedata.normalize("NFKC", word).casefold() for word in found}
    return sorted(word for word in folded if len(word) >= _least(word))


def _least(word: str) -> int:
    if word.isascii():
        return LATIN_LEAST_CHARACTERS
    return KANA_LEAST_CHARACTERS if re.fullmatch("[ぁ-ゖー]+", word) else KANJI_LEAST_CHARACTERS


def main() -> int:
    """Write the file."""
    made = words()
    TARGET.write_text(HEAD + "\n".join(made) + "\n", encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(made)} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
