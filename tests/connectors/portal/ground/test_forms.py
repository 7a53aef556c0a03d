"""Forms: every error with its sentence, in the order of the fields; shown again as typed, passwords never."""

from typing import Annotated

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pydantic import Field

from connectors.portal.ground.forms import Form, Input, Option, blank, filled
from connectors.portal.ground.inputs import DateInput, MyKeyIdInput, PasswordInput, PointsInput
from connectors.portal.ground.sent import FORM_TOKEN, SENT, Sent
from hub.web.problems import ProblemError


class Every(Form):
    mykey_id: Annotated[MyKeyIdInput, Input("マイキーID")]
    password: Annotated[PasswordInput, Input("パスワード", kind="password")]
    points: Annotated[PointsInput, Input("ポイント数", kind="number")]
    born: Annotated[DateInput, Input("生年月日")]
    city: Annotated[str, Input("自治体", kind="select")]
    mails: Annotated[tuple[str, ...], Input("お知らせメール", kind="checkboxes")] = ()
    note: Annotated[str, Input("備考"), Field(max_length=3)] = ""


CHOICES = {"city": [Option("", "選択"), Option("1", "市")], "mails": [Option("a", "あ"), Option("b", "い")]}
GOOD = {
    "mykey_id": ["my-choice"], "password": [" p "], "points": ["１，０００"], "born": ["昭和39年10月10日"],
    "city": ["1"], "mails": ["a", "b"],
}  # fmt: skip


def request_with(fields: dict[str, list[str]]) -> web.Request:
    request = make_mocked_request("POST", "/")
    request[SENT] = Sent(fields)
    request[FORM_TOKEN] = "t"
    return request


def test_a_form_that_is_right() -> None:
    form = filled(request_with(GOOD), Every, CHOICES)
    assert form.value is not None
    assert (form.value.mykey_id, form.value.password, form.value.points) == ("MYCHOICE", " p ", 1_000)
    assert (form.value.mails, form.value.born.year, form.value.note) == (("a", "b"), 1964, "")


def test_an_empty_form_asks_for_everything_that_is_needed() -> None:
    view = filled(request_with({}), Every, CHOICES).view()
    assert view.errors == [
        ("mykey-id", "マイキーIDを入力してください。"),
        ("password", "パスワードを入力してください。"),
        ("points", "ポイント数を入力してください。"),
        ("born", "生年月日を入力してください。"),
        ("city", "自治体を選択してください。"),
    ]
    assert [field.required for field in view.fields.values()] == [True, True, True, True, True, False, False]


def test_what_was_typed_stands_there_again_but_no_password() -> None:
    wrong = GOOD | {"points": ["たくさん"], "note": ["長すぎます"], "city": ["9"]}
    form = filled(request_with(wrong), Every, CHOICES)
    view = form.view()
    assert form.value is None
    assert view["points"].value == "たくさん"
    assert view["password"].value == ""
    assert view["points"].error == "ポイント数は1以上の整数で入力してください（例：500）。"
    assert view["note"].error == "備考は3文字以内で入力してください。"
    assert view["city"].error == "自治体を選択してください。"
    assert [option.chosen for option in view["mails"].options] == [True, True]


def test_an_error_found_later() -> None:
    form = filled(request_with(GOOD), Every, CHOICES)
    form.refuse("points", "足りません。")
    assert form.value is None
    assert form.view().errors == [("points", "足りません。")]


def test_a_field_that_there_is_not() -> None:
    with pytest.raises(ProblemError):
        filled(request_with(GOOD | {"admin": ["1"]}), Every, CHOICES)


def test_a_blank_form_has_what_is_known() -> None:
    view = blank(request_with({}), Every, {"mykey_id": "MYCHOICE", "mails": ["b"]}, CHOICES)
    assert view["mykey_id"].value == "MYCHOICE"
    assert [option.chosen for option in view["mails"].options] == [False, True]
    assert view.errors == []
    assert blank(request_with({}), Every, is_get=True).token == ""
