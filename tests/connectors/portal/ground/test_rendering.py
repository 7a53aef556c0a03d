"""Pages from templates: everything escaped, a missing value is an error, numbers and days as people read them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, DictLoader, UndefinedError
from markupsafe import Markup

from connectors.portal.ground import charts
from connectors.portal.ground.charts import Bar
from connectors.portal.ground.forms import FieldView, FormView, Kind, Option
from connectors.portal.ground.frame import Frame, MenuItem
from connectors.portal.ground.look import Look
from connectors.portal.ground.rendering import Screens, day, iso, moment, number
from schemas.values import NO_EXPIRY

EVIL = "<script>alert(1)</script>\"'"
HEAD = '{% import "parts.html" as part with context %}'


def shown(body: str, frame: Frame | None = None, **values: object) -> str:
    screens = Screens(Look(Path("nowhere")))
    real = screens._environment.loader
    assert real is not None
    screens._environment.loader = ChoiceLoader([DictLoader({"page": HEAD + body}), real])
    return screens.render("page", frame or Frame(title="題"), **values)


def test_what_people_typed_is_only_ever_text() -> None:
    field = FieldView(
        name="x", id="x", label=EVIL, hint=EVIL, value=EVIL, error=EVIL, kind="text", options=[Option(EVIL, EVIL, EVIL)]
    )
    kinds: tuple[Kind, ...] = ("text", "password", "select", "radios", "checkboxes")
    views: dict[str, FieldView] = {kind: replace(field, kind=kind) for kind in kinds}
    form = FormView(views, [("x", EVIL)], EVIL, EVIL)
    page = shown(
        "{{ part.errors(form) }}{% call part.form(form, evil) %}{{ part.fields(form) }}{% endcall %}"
        "{{ part.button(evil) }}"
        "{{ part.rows([(evil, evil, (evil, evil))]) }}{{ part.table(evil, [evil], [[evil]]) }}{{ part.note(evil) }}"
        "{{ part.warning(evil) }}{{ part.partner({'name': evil, 'text': evil, 'url': evil, 'action': evil}) }}"
        "{{ part.balance({'name': evil, 'points': 1, 'note': evil, 'dates': [(evil, evil)]}) }}{{ part.code(evil) }}"
        "{{ part.receipt(evil, evil) }}{{ chart.bars(evil, bars) }}{{ part.choices([(evil, evil, evil)]) }}",
        form=form,
        evil=EVIL,
        bars=[Bar(EVIL, 1)],
    )
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") > 20


def test_the_frame_escapes_too() -> None:
    frame = Frame(title=EVIL, menu=[MenuItem(EVIL, EVIL)], flash=EVIL, reference=EVIL, back=EVIL, here=EVIL)
    page = Screens(Look(Path("nowhere"))).render("privacy.html", frame)
    assert "<script>alert" not in page


def test_a_value_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        shown("{{ missing }}")
    with pytest.raises(UndefinedError):
        shown("{{ frame.missing }}")
    with pytest.raises(UndefinedError):
        shown("{% if missing %}{% endif %}")


def test_a_form_sent_by_get_keeps_its_token_out_of_the_address() -> None:
    form = FormView({}, [], "the-token", "the-key")
    page = shown('{% call part.form(form, "/x", "get") %}{% endcall %}', form=form)
    assert "the-token" not in page
    assert "the-key" not in page
    assert "the-token" in shown('{% call part.form(form, "/x") %}{% endcall %}', form=form)


def test_a_failed_form_says_so_in_the_title() -> None:
    page = Screens(Look(Path("nowhere"))).render("privacy.html", Frame(title="ログイン", failed=True))
    assert "<title>エラー：ログイン ｜" in page


def test_numbers_and_days_are_as_people_read_them() -> None:
    assert number(1_234_567) == "1,234,567"
    assert number(-300) == "−300"
    assert day(date(2017, 11, 1)) == "2017年11月1日"
    assert day(NO_EXPIRY) == day(None) == "なし"
    assert moment(datetime(2017, 10, 31, 15, 5, tzinfo=UTC)) == "2017年11月1日 0時05分"
    assert iso(datetime(2017, 10, 31, 15, 5, tzinfo=UTC)) == "2017-11-01T00:05+09:00"


def test_a_chart_draws_in_proportion_and_says_what_it_is() -> None:
    drawn = charts.bars("利用額", [Bar("北区", 1_000), Bar("とても長い名前の自治体", 250), Bar("なし", -5)])
    assert isinstance(drawn, Markup)
    assert 'role="img" aria-label="利用額"' in drawn
    widths = [int(part.split('"')[0]) for part in drawn.split("<rect")[1:] for part in [part.split('width="')[1]]]
    assert widths[1] == widths[0] // 4
    assert widths[2] == 0
    assert "とても長い名前…" in drawn
    assert "1,000" in drawn


def test_a_chart_of_nothing_is_no_fault() -> None:
    assert "<rect" not in charts.bars("なし", [])
