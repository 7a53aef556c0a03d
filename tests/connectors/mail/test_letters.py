"""What a mail looks like to those who read it: whole, well-formed, and with nothing slipped in."""

from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.addresses import checked_address
from connectors.mail.letters import Letters, Recipient
from connectors.mail.unsubscribing import Unsubscribing
from hub.keys import Keys
from schemas.notices import NoticeKind, SendNotice
from schemas.values import NO_EXPIRY, RESERVE

UNSUBSCRIBING = Unsubscribing(Keys(b"k" * 32).hasher("test"), "https://mykey.example")
LETTERS = Letters("no-reply@mykey.example", "マイキープラットフォーム", UNSUBSCRIBING, None)
NOW = datetime(2017, 11, 1, 3, 4, 5, tzinfo=UTC)
TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TO = Recipient(checked_address("user@mail.example"), "加藤 誠", "さくらポイント", "北名古屋市")
NOTICE = SendNotice(
    notice_id=UUID("000b3e4c-1111-8222-8333-444455556666"),
    citizen_id=UUID(int=7),
    kind=NoticeKind.granted,
    pool="scheme:232343",
    points=1_500,
    day=date(2017, 11, 1),
    last_day=date(2018, 11, 30),
)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "X-MyKey-Trace",
    "Auto-Submitted",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "MIME-Version",
    "Content-Type",
]


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert [part.defects for part in message.walk()] == [[], [], []]
    return message


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_every_header_once_and_readable() -> None:
    message = read(LETTERS.write(NOTICE, TO, NOW, TRACEPARENT))
    assert message.keys() == HEADERS
    assert message["From"] == "マイキープラットフォーム <no-reply@mykey.example>"
    assert message["To"] == "user@mail.example"
    assert message["Date"] == "Wed, 01 Nov 2017 12:04:05 +0900"
    assert message["Message-ID"] == f"<{NOTICE.notice_id}@mykey.example>"
    assert message["X-MyKey-Trace"] == TRACEPARENT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Unsubscribe"].startswith("<https://mykey.example/mail/unsubscribe/")
    assert message.get_content_type() == "multipart/alternative"


def test_plain_text_comes_first_and_both_are_utf_8_in_base64() -> None:
    parts = list(read(LETTERS.write(NOTICE, TO, NOW, TRACEPARENT)).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {(part.get_content_charset(), part["Content-Transfer-Encoding"]) for part in parts} == {("utf-8", "base64")}


def test_lines_are_folded_and_end_in_crlf() -> None:
    long = replace(TO, address=checked_address(f"{'a' * 40}@mail.example"), name="髙﨑①㈱" * 30)
    raw = LETTERS.write(NOTICE, long, NOW, TRACEPARENT)
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    assert raw.endswith(b"\r\n")
    address_line = len("List-Unsubscribe: <https://mykey.example/mail/unsubscribe/>") + 44
    assert max(len(line) for line in raw.split(b"\r\n")) <= address_line
    assert raw.isascii()


def test_the_same_notice_has_the_same_message_id_and_link_always() -> None:
    one, other = (read(LETTERS.write(NOTICE, TO, now, TRACEPARENT)) for now in (NOW, datetime(2018, 1, 1, tzinfo=UTC)))
    for header in ("Message-ID", "X-MyKey-Trace", "List-Unsubscribe"):
        assert one[header] == other[header]


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_says_all_it_has_to_in_both_parts(kind: NoticeKind) -> None:
    notice = NOTICE.model_copy(update={"kind": kind})
    message = read(LETTERS.write(notice, TO, NOW, TRACEPARENT))
    for part in ("plain", "html"):
        text = text_of(message, part)
        for said in ("加藤 誠 様", "さくらポイント（北名古屋市）", "1,500", "2017年11月1日", "/mail/unsubscribe/"):
            assert said in text
        assert "$" not in text
    assert message["Subject"]
    assert "\n" not in message["Subject"]


def test_points_granted_into_reserve_say_until_when_to_choose() -> None:
    notice = NOTICE.model_copy(update={"pool": RESERVE, "last_day": date(2017, 11, 22)})
    text = text_of(read(LETTERS.write(notice, replace(TO, point_name=None, municipality=None), NOW, TRACEPARENT)))
    assert "移す先の期限　2017年11月22日" in text
    assert "基本自治体のポイントに自動で移ります" in text


def test_points_without_expiry_say_so() -> None:
    notice = NOTICE.model_copy(update={"last_day": NO_EXPIRY})
    assert "有効期限　なし" in text_of(read(LETTERS.write(notice, TO, NOW, TRACEPARENT)))


def test_a_pool_not_heard_of_yet_is_told_without_its_name() -> None:
    unknown = replace(TO, point_name=None, municipality=None)
    assert "ポイントが1,500ポイント付与されました" in text_of(read(LETTERS.write(NOTICE, unknown, NOW, TRACEPARENT)))


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</p><a href='javascript:x'>", "&lt;b&gt;"],
)
def test_names_are_only_ever_text_in_html(name: str) -> None:
    page = text_of(read(LETTERS.write(NOTICE, replace(TO, name=name, point_name=name), NOW, TRACEPARENT)), "html")
    assert name not in page
    assert page.count("<script") == page.count("<img") == page.count("javascript:x'>") == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_name_adds_a_header_a_line_or_a_part(name: str, point_name: str) -> None:
    message = read(LETTERS.write(NOTICE, replace(TO, name=name, point_name=point_name), NOW, TRACEPARENT))
    assert message.keys() == HEADERS
    assert len(list(message.iter_parts())) == 2
    assert text_of(message).splitlines()[0].endswith(" 様")


def test_a_control_sign_or_a_line_end_in_a_name_is_left_out() -> None:
    text = text_of(read(LETTERS.write(NOTICE, replace(TO, name="加藤\r\nBcc: x\x1b[2J\u202e 誠"), NOW, TRACEPARENT)))
    assert text.startswith("加藤 Bcc: x[2J 誠 様")
