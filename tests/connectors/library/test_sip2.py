"""Frames of SIP2 2.00: known good ones, charsets, and whatever may come."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, get_args

import pytest
from hypothesis import strategies as st

from connectors.library import sip2
from connectors.library.sip2 import ChecksumError, NotSip2Error, Reply
from schemas.libraries import Charset
from tests.fuzzing import fuzzed

CHARSETS: Final = get_args(Charset)
NOW: Final = datetime(2026, 11, 23, 6, 45, 53, tzinfo=UTC)
AT: Final = "20261123    154553"
NAME: Final = "ヤマダ タロウ"
REPLY_24: Final = f"24              009{AT}AOLIB130001|AA180000000011|AE{NAME}|BLY|"
REPLY_64: Final = f"64{' ' * 14}009{AT}{'0000' * 6}AOLIB130001|AA180000000011|AE{NAME}|BLY|"
REPLY_98: Final = f"98YNNNNY030003{AT}2.00AOLIB130001|BXYNNNYYYYYNNNNNNN|"


@pytest.mark.parametrize(
    "body, sequence, frame",
    [
        (sip2.status(), 1, b"9900802.00AY1AZFCA0\r"),
        (sip2.login("term1", "secret", "COUNTER1"), 0, b"9300CNterm1|COsecret|CPCOUNTER1|AY0AZF3E5\r"),
        (sip2.status(), None, b"9900802.00\r"),
    ],
)
def test_frames_are_made_to_the_byte(body: str, sequence: int | None, frame: bytes) -> None:
    assert sip2.framed(body, "utf-8", sequence) == frame


def test_a_patron_is_asked_for_and_none_of_the_patrons_items() -> None:
    by_23 = sip2.patron_status(NOW, "LIB130001", "180000000011", "")
    by_63 = sip2.patron_information(NOW, "LIB130001", "180000000011", "tp")
    assert by_23 == f"23000{AT}AOLIB130001|AA180000000011|AC|AD|"
    assert by_63 == f"63000{AT}          AOLIB130001|AA180000000011|ACtp|"


def test_frames_of_another_maker_are_read() -> None:
    date = b"00920261123    064553AOLIB130001|"
    known = b"24              " + date + b"AA180000000011|AE" + NAME.encode() + b"|BLY|AY2AZE386"
    unknown = b"24YYYY          " + date + b"AA999999999999|AE|BLN|AY5AZEE9F"
    assert sip2.read(b"941AY0AZFDFD", "utf-8").fixed == "1"
    assert sip2.read(known, "utf-8").fields["BL"] == "Y"
    assert sip2.read(unknown, "utf-8").fields["BL"] == "N"
    with pytest.raises(NotSip2Error):  # an answer to 35, which we never ask
        sip2.read(b"36Y20261123    064553AOLIB130001|AA180000000011|AY4AZF43C", "utf-8")


def test_the_charset_decides_the_checksum() -> None:
    frames = {charset: sip2.framed(REPLY_24, charset, 2) for charset in ("utf-8", "cp932", "euc-jp")}
    assert len({frame[-5:] for frame in frames.values()}) == 3
    for charset, frame in frames.items():
        assert sip2.read(frame[:-1], charset).fields["AE"] == NAME


def test_a_kana_whose_second_byte_is_a_bar_ends_no_field() -> None:
    assert b"|" in "ポ".encode("cp932")
    body = REPLY_24.replace(NAME, "ポポロ")
    reply = sip2.read(sip2.framed(body, "cp932", 0)[:-1], "cp932")
    assert (reply.fields["AE"], reply.fields["BL"]) == ("ポポロ", "Y")


@pytest.mark.parametrize(
    "frame, expected",
    [
        (b"941", Reply("94", "1", {"": ""})),
        (b"941AY3", Reply("94", "1", {"": ""}, 3)),
        (b"\0 941AZFEC7", Reply("94", "1", {"": ""})),
        (b"941AY0AZfdfd  ", Reply("94", "1", {"": ""}, 0)),
        (b"96AZFEF6", Reply("96", "", {"": ""})),
        (b"940XX1|YY|XX2|no|x", Reply("94", "0", {"XX": "1", "YY": "", "no": "", "x": ""})),
    ],
)
def test_what_is_missing_or_too_much_does_no_harm(frame: bytes, expected: Reply) -> None:
    assert sip2.read(frame, "utf-8") == expected


@pytest.mark.parametrize("frame", [b"941AY0AZFDFE", b"24AZ0000", b"941AY0AZ0000"])
def test_a_wrong_checksum_is_told(frame: bytes) -> None:
    with pytest.raises(ChecksumError):
        sip2.read(frame, "utf-8")


@pytest.mark.parametrize("frame", [b"", b"9", b"94", b"98Y", b"12", b"24" + b" " * 34, b"\xff\xff", b"AY1AZFE00"])
def test_what_is_no_answer_is_told(frame: bytes) -> None:
    with pytest.raises(NotSip2Error):
        sip2.read(frame, "utf-8")


@pytest.mark.parametrize("text", ["a|b", "a\rb", "a\nb", "a\0b"])
def test_nothing_can_be_slipped_into_a_request(text: str) -> None:
    with pytest.raises(ValueError, match="AO"):
        sip2.patron_status(NOW, text, "1", "")
    with pytest.raises(ValueError, match="CN"):
        sip2.login(text, "", "")


def test_97_asks_for_the_last_message_again() -> None:
    assert sip2.resend() == b"97AZFEF5\r"


# ------------------------------------------------------------------------------------------------------ fuzzing

FRAMES = [sip2.framed(body, charset, 1) for body in (REPLY_24, REPLY_64, REPLY_98) for charset in ("utf-8", "cp932")]
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="|"), max_size=40)


@fuzzed(
    frame=st.one_of(st.binary(max_size=200), st.sampled_from(FRAMES)),
    charset=st.sampled_from(CHARSETS),
    data=st.data(),
)
def test_fuzz_a_frame_is_read_or_refused(frame: bytes, charset: str, data: st.DataObject) -> None:
    spoilt = bytearray(frame)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(spoilt)))
        spoilt[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with suppress(NotSip2Error):
        reply = sip2.read(bytes(spoilt), charset)
        assert reply.code in {"94", "98", "24", "64", "96"}
        assert reply.sequence in {None, *range(10)}


@fuzzed(
    number=TEXTS,
    name=TEXTS,
    charset=st.sampled_from(CHARSETS),
    sequence=st.one_of(st.none(), st.integers(0, 9)),
)
def test_fuzz_what_is_written_is_read(number: str, name: str, charset: str, sequence: int | None) -> None:
    kept_number, kept_name = (
        text.encode(charset, "ignore").decode(charset).replace("|", "") for text in (number, name)
    )
    body = f"24{' ' * 14}000{AT}AA{kept_number}|AE{kept_name}|BLN|"
    reply = sip2.read(sip2.framed(body, charset, sequence)[:-1], charset)
    assert dict(reply.fields) | {"": ""} == {"AA": kept_number, "AE": kept_name, "BL": "N", "": ""}
    assert reply.sequence == sequence


@fuzzed(frame=st.sampled_from(FRAMES), data=st.data())
def test_fuzz_a_flipped_bit_is_found(frame: bytes, data: st.DataObject) -> None:
    """In what the checksum covers, before its own marks: found out, always."""
    spoilt = bytearray(frame[:-1])
    at = data.draw(st.integers(0, len(spoilt) - 10))
    spoilt[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NotSip2Error):
        sip2.read(bytes(spoilt), "utf-8")
