"""What is JSON to us and what is not, and that its faults are named by their place."""

import json
import random

import pytest

from hub.web.json_text import DEPTH_LIMIT, JsonFault, JsonTextError, RawNumber, canonical, parse

REFUSED = [
    (b"", JsonFault.empty, ""),
    (b"\xff", JsonFault.encoding, ""),
    ('{"points":1}'.encode("utf-16"), JsonFault.encoding, ""),
    (b"\xef\xbb\xbf{}", JsonFault.syntax, ""),
    (b"{'a':1}", JsonFault.syntax, ""),
    (b'{"a":1} {"a":2}', JsonFault.syntax, ""),
    (b'{"a":01}', JsonFault.syntax, ""),
    (b'{"a":"\x00"}', JsonFault.syntax, ""),
    (b"{" * 30_000, JsonFault.syntax, ""),
    (b"[" * 30_000, JsonFault.depth, ""),
    (b"[" * 30_000 + b"]" * 30_000, JsonFault.depth, ""),
    (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), JsonFault.depth, ""),
    (b'{"a":' * (DEPTH_LIMIT + 1) + b"1" + b"}" * (DEPTH_LIMIT + 1), JsonFault.depth, ""),
    (b'{"amount":' + b"9" * 5_000 + b"}", JsonFault.long_number, "/amount"),
    (b'{"amount":1.' + b"9" * 5_000 + b"}", JsonFault.long_number, "/amount"),
    (b'{"items":[1,{"amount":NaN}]}', JsonFault.not_a_number, "/items/1/amount"),
    (b"-Infinity", JsonFault.not_a_number, ""),
    (b'{"amount":1,"amount":9999}', JsonFault.duplicate_key, "/amount"),
    (b'[{"a":{"x/y":1,"b":2,"x/y":3}}]', JsonFault.duplicate_key, "/0/a/x~1y"),
    (b'["a","\\ud800"]', JsonFault.character, "/1"),
    (b'{"a":"\\ude00\\ud83d"}', JsonFault.character, "/a"),
    (b'{"a":"\\u0000"}', JsonFault.character, "/a"),
    (b'{"a":"\\b"}', JsonFault.character, "/a"),
    (b'{"\\ud83d":1}', JsonFault.character, "/?"),
]


@pytest.mark.parametrize("raw,code,pointer", REFUSED)
def test_refuses(raw: bytes, code: JsonFault, pointer: str) -> None:
    with pytest.raises(JsonTextError) as caught:
        parse(raw)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)
    assert caught.value.detail
    assert caught.value.detail_ja


@pytest.mark.parametrize(
    "raw,value",
    [
        (b"{}", {}),
        (b' [null,true,false,"\xe9\xab\x99"]\n', [None, True, False, "髙"]),
        (b'{"a":"\\ud83d\\ude00 \\\\u0000 \\n\\t\\u3042"}', {"a": "😀 \\u0000 \n\tあ"}),
        (b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT, None),
        (b"9223372036854775807", 9223372036854775807),
        (b"9223372036854775808", 9223372036854775808),
        (b"18446744073709551616", RawNumber("18446744073709551616")),
        (b"1.50", RawNumber("1.50")),
        (b"1e3", RawNumber("1e3")),
        (b"1e400", RawNumber("1e400")),
    ],
)
def test_takes(raw: bytes, value: object) -> None:
    assert parse(raw) == (value if value is not None else json.loads(raw))


def test_a_long_key_does_not_make_a_long_pointer() -> None:
    raw = b'{"%s":NaN}' % (b"k" * 10_000)
    with pytest.raises(JsonTextError) as caught:
        parse(raw)
    assert len(caught.value.pointer) == 200


def test_control_characters_and_half_pairs_are_found_in_any_spelling() -> None:
    seeded = random.Random(20171001)
    letters = [*'\\"ubd0918é\t\n ', "\ud83d", "\ude00", "\ud800", "\x00", "\x08", "\x1f"]
    allowed = {"\t", "\n", "\r"}
    counts = [0, 0]
    for _ in range(20_000):
        raw = json.dumps({"k": "".join(seeded.choices(letters, k=seeded.randint(1, 6)))})
        text = json.loads(raw)["k"]
        bad = any(("\ud800" <= one <= "\udfff") or (one < " " and one not in allowed) for one in text)
        counts[bad] += 1
        if bad:
            with pytest.raises(JsonTextError):
                parse(raw.encode())
        else:
            assert parse(raw.encode()) == {"k": text}
    assert min(counts) > 1_000


def test_canonical_text_is_the_same_for_the_same_value_only() -> None:
    assert canonical(parse(b'{"b": 1, "a": "\\u3042"}')) == canonical(parse('{"a":"あ","b":1}'.encode()))
    different = [b"1.5", b'"1.5"', b"1", b'"1"', b"true", b"null", b"1.50", b'["number","1.5"]', b"15e-1"]
    assert len({canonical(parse(raw)) for raw in different}) == len(different)
