"""Forms: a pydantic model with a label at each field, filled from what a browser sent, shown again as it was typed.

    class LogInForm(Form):
        mykey_id: Annotated[MyKeyIdInput, Input("マイキーID", hint="8桁の英数字です。")]

`blank` makes the view of an empty form, `filled` reads a sent one: `Filled.value` is the model, or None where something
is wrong; then `Filled.view()` has every error with the sentence that says how to mend it. Choices (`select`, `radios`,
`checkboxes`) are given when the form is made; a value that is none of them is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Literal, TypeVar, get_origin
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from connectors.portal.ground.language import _
from connectors.portal.ground.sent import FORM_TOKEN, SENT

Kind = Literal["text", "number", "password", "email", "tel", "select", "radios", "checkboxes"]
CHOSEN: Final = ("select", "radios", "checkboxes")

FormT = TypeVar("FormT", bound="Form")


class Form(BaseModel):
    """A form's fields. A field that may be left empty has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Option:
    """One of several to choose from."""

    value: str
    label: str
    hint: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """How a field is asked for; texts are in Japanese, the source language."""

    label: str
    hint: str = ""
    kind: Kind = "text"
    autocomplete: str = ""
    inputmode: str = ""
    spellcheck: bool = False


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field as a page shows it; `value` is what was typed, `error` how to mend it."""

    name: str
    id: str
    label: str
    hint: str = ""
    required: bool = True
    value: str = ""
    error: str | None = None
    kind: Kind = "text"
    options: Sequence[Option] = ()
    autocomplete: str = ""
    inputmode: str = ""
    spellcheck: bool = False


@dataclass(frozen=True, slots=True)
class FormView:
    """A form as a page shows it: `errors` are (field id, sentence), in the fields' order.

    `once` is the one-time key that goes out with it, empty where there is none.
    """

    fields: Mapping[str, FieldView]
    errors: Sequence[tuple[str, str]]
    token: str
    once: str = ""

    def __getitem__(self, name: str) -> FieldView:
        """A field by its name."""
        return self.fields[name]

    def faulted(self, name: str, sentence: str) -> "FormView":
        """The same with something wrong, told at this field and in the summary; without a name in the summary alone."""
        if not name:
            return replace(self, errors=[*self.errors, ("", sentence)])
        found = replace(self.fields[name], error=sentence)
        return replace(self, fields={**self.fields, name: found}, errors=[*self.errors, (found.id, sentence)])


Choices = Mapping[str, Sequence[Option]]


@dataclass(slots=True)
class Filled(Generic[FormT]):
    """A form that was sent. `value` is None where something is wrong with it."""

    model: type[FormT]
    sent: Mapping[str, Sequence[str]]
    token: str
    value: FormT | None = None
    choices: Choices = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def refuse(self, name: str, sentence: str) -> None:
        """Something is wrong with this field after all."""
        self.value = None
        self.errors.setdefault(name, sentence)

    def forget(self, name: str) -> None:
        """What was typed here was good once, and is not shown again."""
        self.sent = {**self.sent, name: ()}

    def view(self, once: str = "") -> FormView:
        """To be shown again: everything as it was typed, but no password."""
        return _view(self.model, self.sent, self.choices, self.errors, self.token, once)


def blank(
    request: web.Request,
    model: type[Form],
    values: Mapping[str, str | Sequence[str]] | None = None,
    choices: Choices | None = None,
    once: UUID | str = "",
    *,
    is_get: bool = False,
) -> FormView:
    """A form to be filled in; `values` stand in it already. `is_get` is for one that only asks, and needs no token."""
    given = {name: [value] if isinstance(value, str) else value for name, value in (values or {}).items()}
    return _view(model, given, choices or {}, {}, "" if is_get else request[FORM_TOKEN], str(once))


def filled(request: web.Request, model: type[FormT], choices: Choices | None = None) -> Filled[FormT]:
    """What was sent, as this form; a field that the form does not have is an error of the whole request.

    Raises ProblemError bad_request for fields that are not the form's.
    """
    sent = request[SENT].of(model.model_fields)
    made = Filled(model, sent, request[FORM_TOKEN], choices=choices or {})
    try:
        made.value = model.model_validate(_typed(model, sent, made.choices))
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            name = str(item["loc"][0])
            made.errors.setdefault(name, _sentence(model.model_fields[name], item["type"], item.get("ctx") or {}, item))
    return made


def _typed(model: type[Form], sent: Mapping[str, Sequence[str]], choices: Choices) -> dict[str, object]:
    """Empty fields and values that are no choice are left out, so that pydantic finds them missing."""
    values: dict[str, object] = {}
    for name, info in model.model_fields.items():
        given = [one for one in sent.get(name, ()) if one.strip()]
        if input_of(info).kind in CHOSEN and name in choices:
            allowed = {option.value for option in choices[name]}
            given = given if set(given) <= allowed else []
        if given and _is_list(info):
            values[name] = tuple(given)
        elif given:
            values[name] = given[-1]
    return values


def _is_list(info: FieldInfo) -> bool:
    return get_origin(info.annotation) in {tuple, list, frozenset}


def input_of(info: FieldInfo) -> Input:
    """How the field is asked for. Raises TypeError where it does not say."""
    found = next((one for one in info.metadata if isinstance(one, Input)), None)
    if found is None:
        raise TypeError("a form's field needs an Input")
    return found


def _sentence(info: FieldInfo, kind: str, context: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    asked = input_of(info)
    label = _(asked.label)
    if kind == "missing":
        text = _("{label}を選択してください。") if asked.kind in CHOSEN else _("{label}を入力してください。")
    else:
        text = _(_SENTENCES.get(kind) or _custom(kind, item))
    return text.replace("{label}", label).format_map({key: _shown(value) for key, value in context.items()})


_SENTENCES: Final[Mapping[str, str]] = {
    "string_too_short": "{label}は{min_length}文字以上で入力してください。",
    "string_too_long": "{label}は{max_length}文字以内で入力してください。",
    "greater_than_equal": "{label}は{ge}以上で入力してください。",
    "less_than_equal": "{label}は{le}以下で入力してください。",
    "too_long": "{label}は{max_length}個以内で選択してください。",
    "string_pattern_mismatch": "{label}に使えない文字があるか、形式が正しくありません。",
}
_WRONG: Final = "{label}の形式が正しくありません。"
_OWN_KINDS: Final = frozenset({"points", "points_zero", "points_many", "mykey_id", "mail", "date", "text", "said"})
"""Errors of connectors.portal.ground.inputs, whose messages are for people."""


def _custom(kind: str, item: Mapping[str, Any]) -> str:
    return str(item["msg"]) if kind in _OWN_KINDS else _WRONG


def _shown(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) else value


def _view(
    model: type[Form],
    given: Mapping[str, Sequence[str]],
    choices: Choices,
    errors: Mapping[str, str],
    token: str,
    once: str,
) -> FormView:
    fields = {
        name: _field(name, info, given.get(name, ()), choices.get(name, ()), errors.get(name))
        for name, info in model.model_fields.items()
    }
    told = [(fields[name].id, errors[name]) for name in fields if name in errors]
    return FormView(fields, told, token, once)


def _field(name: str, info: FieldInfo, given: Sequence[str], options: Sequence[Option], error: str | None) -> FieldView:
    asked = input_of(info)
    value = given[-1] if given and asked.kind != "password" else ""
    return FieldView(
        name=name,
        id=name.replace("_", "-"),
        label=_(asked.label),
        hint=_(asked.hint) if asked.hint else "",
        required=info.is_required(),
        value=value,
        error=error,
        kind=asked.kind,
        options=[replace(option, chosen=option.value in given) for option in options],
        autocomplete=asked.autocomplete,
        inputmode=asked.inputmode,
        spellcheck=asked.spellcheck,
    )
