"""Passwords: what is taken, how it is kept, and that checking many at once costs neither the loop nor the memory."""

import asyncio
import statistics
import time
import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from hub import passwords
from hub.errors import TransientError
from hub.passwords import LIMIT_CHARACTERS, NoPasswordHashError, hashed, is_right, needs_upgrade, refusal
from tools import blocked_words

GOOD = "葉桜 quince 17 ぶらんこ"


@pytest.mark.parametrize(
    "password, code",
    [
        ("", "password_short"),
        ("quince-gully", None),
        ("quince-gull", "password_short"),
        ("   　  quince gully", None),
        ("x1" * 512, None),
        ("x1" * 512 + "!", "password_long"),
        ("𠮷野家の牛丼をもう一杯ください", None),
        ("password1234", "password_common"),
        ("ＰＡＳＳＷＯＲＤ１２３４", "password_common"),
        ("Sapporo-point!", "password_common"),
        ("sapporoshi2024", "password_common"),
        ("札幌市札幌市札幌市札幌市", "password_common"),
        ("マイキーポイント2025", "password_common"),
        ("とうきょうとしょかん", "password_short"),
        ("aaaaaaaaaaaaaaaa", "password_common"),
        ("123456789012", "password_common"),
        ("abcdefghijklmnop", "password_common"),
        ("qwertyuiopasdf", "password_common"),
        ("correct horse battery staple", None),
        ("abcd9k2z-7k!", "password_common"),
    ],
)
def test_what_is_taken(password: str, code: str | None) -> None:
    assert refusal(password, ["ABCD9K2Z"]) == code


@given(st.text(min_size=12, max_size=40))
def test_any_characters_are_taken_or_refused_for_their_words_only(password: str) -> None:
    assert refusal(password) in {None, "password_common", "password_short"}


def test_the_words_are_what_the_tool_writes() -> None:
    kept = blocked_words.TARGET.read_text("utf-8")
    assert kept == blocked_words.HEAD + "\n".join(blocked_words.words()) + "\n"
    assert {"札幌市", "札幌", "さっぽろ", "sapporo", "tokyo", "toukyou", "matsue"} <= set(kept.splitlines())


def test_latin_letters_are_hepburns() -> None:
    assert blocked_words.latin("とうきょうと") == "toukyouto"
    assert blocked_words.latin("はっちょうぼり") == "hatchoubori"
    assert blocked_words.latin("しんじゅくく") == "shinjukuku"


async def test_kept_at_or_above_the_floor_and_told_apart_to_the_last_character() -> None:
    long = "語" * 1023
    kept = await hashed(long + "a")
    parameters = extract_parameters(kept)
    assert (parameters.type, parameters.version) == (Type.ID, 19)
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) >= (19 * 1024, 2, 1)
    assert await is_right(long + "a", kept)
    assert not await is_right(long + "b", kept)
    assert not await is_right(long + "aa", kept)
    assert not needs_upgrade(kept)
    assert needs_upgrade(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD))


async def test_the_same_letters_are_the_same_password_however_composed() -> None:
    kept = await hashed(unicodedata.normalize("NFD", "がぎぐげご-éclair"))
    assert await is_right(unicodedata.normalize("NFC", "がぎぐげご-éclair"), kept)
    assert not await is_right("がぎぐげご-ｅclair", kept)


async def test_nobodys_password_is_never_right_and_an_altered_hash_is_told() -> None:
    assert not await is_right(GOOD, None)
    assert not await is_right("x" * (LIMIT_CHARACTERS + 1), await hashed(""))
    with pytest.raises(NoPasswordHashError):
        await is_right(GOOD, "$2b$12$notargon")


async def test_unknown_and_wrong_take_the_same_time() -> None:
    kept = await hashed(GOOD)

    async def took_s(hash_kept: str | None) -> float:
        began_s = time.perf_counter()
        await is_right("wrong wrong wrong", hash_kept)
        return time.perf_counter() - began_s

    pairs = [(await took_s(kept), await took_s(None)) for _ in range(15)]
    wrong_s, unknown_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert unknown_s == pytest.approx(wrong_s, rel=0.5)


async def test_at_most_four_are_hashed_at_once_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = peak = 0
    verify = passwords._is_right

    def counted(password: str, kept: str | None) -> bool:
        nonlocal at_once, peak
        at_once += 1
        peak = max(peak, at_once)
        try:
            return verify(password, kept)
        finally:
            at_once -= 1

    monkeypatch.setattr(passwords, "_is_right", counted)
    asked = [asyncio.ensure_future(is_right(GOOD, None)) for _ in range(24)]
    turns = 0
    while not all(one.done() for one in asked):
        await asyncio.sleep(0)
        turns += 1
    assert 2 <= peak <= passwords.AT_ONCE_LIMIT
    assert turns > 100


async def test_too_many_that_wait_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAITING_LIMIT", 2)
    asked = await asyncio.gather(*(is_right(GOOD, None) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in asked] == [bool, bool, TransientError]
    assert passwords._Waiting.count == 0
