"""What stands around every page: who is looking, in which language, with which menu."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["ja", "en"]
JAPANESE: Final[Language] = "ja"
LANGUAGES: Final = ("ja", "en")


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One entry of the menu; `here` marks where the page belongs."""

    text: str
    url: str
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The page's surroundings; `ground/templates/frame.html` shows them.

    `home` is where the mark in the header leads. `form_token` is the CSRF token that `part.form` and the log-out button
    write. `nonce` is this answer's, for the Content-Security-Policy. `failed` puts 「エラー：」 before the title.
    `back` is the page one step up. `flash` is a sentence shown once. `reference` is the answer's reference number.
    `here` is this page's own address, to which the language button comes back; empty, and there is no such button.
    `logout` is where the log-out button posts to.
    """

    title: str
    service: str = "マイページ"
    lang: Language = JAPANESE
    home: str = "/"
    menu: Sequence[MenuItem] = ()
    nonce: str = ""
    form_token: str = ""
    signed_in: bool = False
    who: str = ""
    demo: bool = False
    failed: bool = False
    back: str | None = None
    flash: str | None = None
    reference: str = ""
    here: str = ""
    logout: str = ""
