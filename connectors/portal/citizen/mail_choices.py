"""The four mail choices (画面16, 60), as they are asked for and shown."""

from collections.abc import Collection, Mapping
from typing import Final

from connectors.portal.ground.forms import Option
from connectors.portal.ground.language import _
from schemas.citizens import MailChoices

TEXTS: Final[Mapping[str, str]] = {
    "on_grant": "ポイントが付与された場合",
    "on_expiry": "ポイントが失効した場合",
    "on_password_change": "パスワードを変更した場合",
    "on_mykey_id_change": "マイキーIDを登録、変更、失効した場合",
}


def options() -> list[Option]:
    """To choose from."""
    return [Option(name, _(text)) for name, text in TEXTS.items()]


def chosen(names: Collection[str]) -> MailChoices:
    """What was chosen."""
    return MailChoices.model_validate({name: name in names for name in TEXTS})


def names_of(choices: MailChoices) -> list[str]:
    """The other way round."""
    return [name for name in TEXTS if getattr(choices, name)]


def texts(choices: MailChoices) -> list[str]:
    """To be shown."""
    return [_(TEXTS[name]) for name in names_of(choices)]
