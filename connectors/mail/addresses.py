"""Which mail addresses we send to: decided here only, with a sentence for the person who typed one."""

import re
from dataclasses import dataclass
from typing import Final

ADDRESS_LIMIT_CHARACTERS: Final = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""
LOCAL_PART_LIMIT_CHARACTERS: Final = 64
DOMAIN_LIMIT_CHARACTERS: Final = 253

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# The old carriers' addresses: atoms with dots anywhere.
_LOOSE_DOTS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_QUOTED: Final = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


@dataclass(frozen=True, slots=True)
class Address:
    """An address that is safe in a header and in an SMTP command: printable ASCII, no line ends."""

    text: str
    domain: str
    """In lower case: what limits are counted by."""


class AddressRefusedError(ValueError):
    """We do not send to this address; `detail` and `detail_ja` tell its owner why, and never repeat it."""

    def __init__(self, detail: str, detail_ja: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.detail_ja = detail_ja


def checked_address(text: str) -> Address:
    """The address as it may be used, by RFC 5321 without address literals and without SMTPUTF8.

    An old carrier address with dots side by side, or at an end of its first part, is written in quotation marks:
    `taro..k@docomo.ne.jp` becomes `"taro..k"@docomo.ne.jp`, the same mailbox as mail servers understand it.

    Raises:
        AddressRefusedError: with a sentence in both languages for whoever typed it.
    """
    if not (text.isascii() and text.isprintable()):
        raise AddressRefusedError(
            "A mail address has only half-width letters, digits and signs, and no line breaks.",
            "メールアドレスは半角の英数字と記号で、改行を入れずに入力してください。",
        )
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise AddressRefusedError(
            "A mail address has an @ with a name before it and a domain after it.",
            "メールアドレスは「@」をはさんで「名前@ドメイン」の形で入力してください。",
        )
    if len(text) > ADDRESS_LIMIT_CHARACTERS or len(local) > LOCAL_PART_LIMIT_CHARACTERS:
        raise AddressRefusedError(
            "A mail address has at most 64 characters before the @ and 254 in all.",
            "メールアドレスは「@」の前が64文字以内、全体で254文字以内です。",
        )
    written = _written(local)
    if len(domain) > DOMAIN_LIMIT_CHARACTERS or not _DOMAIN.fullmatch(domain):
        raise AddressRefusedError(
            "The domain after the @ is not one, such as example.jp.",
            "「@」の後のドメインを、example.jp のような形で入力してください。",
        )
    return Address(f"{written}@{domain}", domain.lower())


def _written(local: str) -> str:
    if _DOT_ATOM.fullmatch(local) or _QUOTED.fullmatch(local):
        return local
    if _LOOSE_DOTS.fullmatch(local):
        return f'"{local}"'
    raise AddressRefusedError(
        "The part before the @ has a sign that mail addresses do not have.",
        "「@」の前に、メールアドレスに使えない記号があります。",
    )
