"""Every text of the portal has its English one: what stands in the code and the templates against the catalogue."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment

from connectors.portal.ground import rendering
from connectors.portal.ground.language import LANGUAGE, english, gettext

PORTAL: Final = Path(rendering.__file__).parents[1]
JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
PLACES: Final = re.compile(r"%\(\w+\)s|\{\w+\}")
NOT_SHOWN: Final = frozenset({"明治", "大正", "昭和", "平成", "令和", "元", "マイページ（MyKey Hub 参考実装）"})
"""Eras that are typed, and the name of an icon that is installed once."""


def texts_of_code() -> Iterator[str]:
    """Literals with Japanese in them, but docstrings, patterns and parts of formatted strings."""
    for file in PORTAL.rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        passed |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
                yield node.value


def texts_of_templates() -> Iterator[str]:
    """What is given to `_()`."""
    environment = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True)
    extract = vars(environment)["extract_translations"]
    for file in PORTAL.rglob("*.html"):
        for _line, _function, message in extract(file.read_text("utf-8")):
            text = message if isinstance(message, str) or message is None else message[0]
            if text is not None:
                yield text


def shown() -> set[str]:
    """All that a page may show."""
    found = {*texts_of_code(), *texts_of_templates()}
    return {text for text in found if JAPANESE.search(text) and "[0-9]" not in text} - NOT_SHOWN


def test_every_text_has_its_english_one() -> None:
    assert sorted(shown() - english().keys()) == []


def test_no_english_text_is_left_over() -> None:
    assert sorted(english().keys() - shown()) == []


def test_what_is_filled_in_is_the_same() -> None:
    assert [text for text, other in english().items() if set(PLACES.findall(text)) != set(PLACES.findall(other))] == []
    assert [text for text, other in english().items() if JAPANESE.search(other.replace("配慮", ""))] == []


def test_no_template_writes_japanese_that_is_not_marked() -> None:
    comment_or_mark = re.compile(r"\{#.*?#\}|_\((\"[^\"]*\"|'[^']*')", re.DOTALL)
    left = {file.name: comment_or_mark.sub("", file.read_text("utf-8")) for file in PORTAL.rglob("*.html")}
    found = {name: JAPANESE.findall(text) for name, text in left.items() if JAPANESE.search(text)}
    assert found == {"frame.html": list("日本語")}


def test_days_are_written_as_the_language_has_them() -> None:
    day, instant = date(2017, 11, 1), datetime(2017, 10, 31, 15, 5, tzinfo=UTC)
    assert (rendering.day(day), rendering.moment(instant)) == ("2017年11月1日", "2017年11月1日 0時05分")
    token = LANGUAGE.set("en")
    try:
        assert (rendering.day(day), rendering.moment(instant)) == ("1 November 2017", "1 November 2017, 0:05")
        assert gettext("戻る") == "Back"
    finally:
        LANGUAGE.reset(token)
