"""The words of the mails: files in `texts/`, read once; a subject, a plain text and an HTML one each."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from string import Template
from typing import Final

from schemas.notices import NoticeKind, SendNotice
from schemas.values import NO_EXPIRY, RESERVE

RESERVE_NAME: Final = "留保ポイント"
UNKNOWN_POOL_NAME: Final = "ポイント"
"""For a pool whose registration has not been heard of yet."""
NAME_LIMIT_CHARACTERS: Final = 200

_NO_EXPIRY: Final = "なし"
_GRANTED_RESERVE: Final = "granted_reserve"


@dataclass(frozen=True, slots=True)
class Words:
    """One text with its two forms; the placeholders are those of `Filling`."""

    subject: str
    text: Template
    html: Template


@dataclass(frozen=True, slots=True)
class Filling:
    """What differs from mail to mail."""

    name: str
    pool: str
    points: str
    day: str
    last_day: str
    unsubscribe_url: str

    def plain(self) -> dict[str, str]:
        """For the plain text."""
        return {
            "name": self.name,
            "pool": self.pool,
            "points": self.points,
            "day": self.day,
            "last_day": self.last_day,
            "unsubscribe_url": self.unsubscribe_url,
        }

    def escaped(self) -> dict[str, str]:
        """For the HTML: what people typed is only ever text."""
        return {key: html.escape(value) for key, value in self.plain().items()}


def words_of(notice: SendNotice, all_words: Mapping[str, Words]) -> Words:
    """The text a notice is told in."""
    if notice.kind is NoticeKind.granted and notice.pool == RESERVE:
        return all_words[_GRANTED_RESERVE]
    return all_words[notice.kind.value]


def read_words() -> dict[str, Words]:
    """All texts, by name: the kinds of notices, and points granted into reserve.

    Raises:
        FileNotFoundError: a text is missing.
    """
    folder = files("connectors.mail") / "texts"
    frame_text = Template((folder / "frame.txt").read_text("utf-8"))
    found: dict[str, Words] = {}
    for name in (*(kind.value for kind in NoticeKind), _GRANTED_RESERVE):
        subject, _, text = (folder / f"{name}.txt").read_text("utf-8").partition("\n\n")
        page = (folder / f"{name}.html").read_text("utf-8")
        found[name] = Words(
            subject,
            Template(frame_text.safe_substitute(letter=text.rstrip("\n"))),
            page_of(subject, page.rstrip("\n"), "notice_footer.html"),
        )
    return found


def page_of(subject: str, letter: str, footer: str) -> Template:
    """The HTML part in its frame; `letter` is HTML, `footer` a file's name. What is left to fill in: `name`."""
    folder = files("connectors.mail") / "texts"
    frame = Template((folder / "frame.html").read_text("utf-8"))
    end = (folder / footer).read_text("utf-8").rstrip("\n")
    return Template(frame.safe_substitute(subject=html.escape(subject), letter=letter, footer=end))


def in_paragraphs(text: str) -> str:
    """A plain text as HTML."""
    blocks = (html.escape(block).replace("\n", "<br>\n") for block in text.strip("\n").split("\n\n"))
    return "\n".join(f"<p>{block}</p>" for block in blocks)


def in_japanese(day: date) -> str:
    """`2017年11月1日`."""
    return f"{day.year}年{day.month}月{day.day}日"


def last_day_in_japanese(day: date | None) -> str:
    """`2018年10月31日`, or that there is none."""
    return _NO_EXPIRY if day is None or day == NO_EXPIRY else in_japanese(day)


def pool_in_japanese(pool: str, point_name: str | None, municipality: str | None) -> str:
    """`北区ポイント`; where the name does not tell its municipality, `さくらポイント（北区）`."""
    if pool == RESERVE:
        return RESERVE_NAME
    if point_name is None:
        return UNKNOWN_POOL_NAME
    if municipality is None or municipality in point_name:
        return one_line(point_name)
    return one_line(f"{point_name}（{municipality}）")


def one_line(text: str) -> str:
    """What somebody typed, without line ends, control or direction signs, and not too long."""
    visible = "".join(sign for sign in text[:NAME_LIMIT_CHARACTERS] if sign.isprintable() or sign.isspace())
    return " ".join(visible.split())
