"""The values everything is said with: points, codes, ids, pools. One definition each, strict everywhere."""

import re
from datetime import date
from typing import Annotated, Final
from unicodedata import normalize
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

MAX_POINTS: Final = 999_999_999
"""The most points one transfer may carry."""

NO_EXPIRY: Final = date.max
"""The expiry date of points that never expire (PostgreSQL's date 'infinity')."""

NO_ORIGIN: Final = UUID(int=0)
"""The origin of points whose partner no longer matters: everything but reserve points."""

RESERVE: Final = "reserve"
"""The pool of points moved in whose municipality is not chosen yet (留保ポイント)."""

SCHEME: Final = "scheme:"
EVENT: Final = "event:"
"""What the other pools begin with; then comes the municipality's code, or the event's id."""

LANES: Final = 16
"""Lanes per receiver, and partitions of the ledger; fixed at the first migration."""

CHECK_WEIGHTS: Final = (6, 5, 4, 3, 2)
CHECK_MODULUS: Final = 11


def lg_check_digit(five: str) -> str:
    """The check digit of a municipality code's first five digits: (11 − (6a+5b+4c+3d+2e) mod 11) mod 10."""
    total = sum(int(digit) * weight for digit, weight in zip(five, CHECK_WEIGHTS, strict=True))
    return str((CHECK_MODULUS - total % CHECK_MODULUS) % 10)


def has_valid_check_digit(lg_code: str) -> bool:
    """Whether `lg_code` is six ASCII digits, the last of which is the check digit of the first five."""
    return re.fullmatch(r"[0-9]{6}", lg_code) is not None and lg_check_digit(lg_code[:5]) == lg_code[5]


def _checked(lg_code: str) -> str:
    if not has_valid_check_digit(lg_code):
        message = "the check digit does not match"
        raise ValueError(message)
    return lg_code


def scheme_pool(lg_code: str) -> str:
    """The pool of a municipality's points."""
    return f"{SCHEME}{lg_code}"


def event_pool(event_id: UUID) -> str:
    """The pool of a support event's points."""
    return f"{EVENT}{event_id}"


def lane_of(key: UUID) -> int:
    """The lane, and the ledger's partition, of a citizen or another key: 0 to 15, the same for ever."""
    return key.int & (LANES - 1)


def narrowed_digits(value: object) -> object:
    """A number as people write it, without its blanks and hyphens and in ASCII; what is no text as it is."""
    return re.sub(r"[\s-]", "", normalize("NFKC", value)) if isinstance(value, str) else value


Points = Annotated[int, Field(strict=True, ge=1, le=MAX_POINTS)]
LgCode = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{6}$"), AfterValidator(_checked)]
MyKeyId = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9A-Z]{8}$")]
TerminalId = Annotated[str, StringConstraints(strict=True, pattern=r"^T[0-9]{6}[0-9A-HJKMNP-TV-Z]{6}$")]
"""A terminal: T, its municipality's code, six characters drawn by chance (Crockford's base 32, so none is misread)."""
IssuerId = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{6}$")]
"""A service-ID issuer (ID付与事業者)."""
Pool = Annotated[
    str,
    StringConstraints(
        strict=True, pattern=r"^(reserve|scheme:[0-9]{6}|event:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
    ),
]
CommandId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""A caller's own id of what it asks for; with the caller's party id it is the idempotency key."""
LinkId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""A partner's own name for a citizen linked to it."""
ExpiryRule = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^(none|months:[1-9][0-9]?|date:[0-9]{4}-[0-9]{2}-[0-9]{2})$"),
]
"""When points of a scheme expire: `none`, `months:N` (end of the Nth month after the credit), `date:YYYY-MM-DD`."""
Revision = Annotated[int, Field(strict=True, ge=0)]
"""The number of a change, counted up where it is made: whoever keeps a copy leaves alone what is older than that.

Messages about the same come in the order in which they were said, unless one fails: it comes again after later ones.
0 is a change that was not numbered, by a release before this; it counts as it comes.
"""
Name = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=100,
        pattern=r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*[^\p{Cc}\p{Cf}\p{Z}][^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$",
    ),
]
"""A name as typed (of a citizen, a scheme, a party): one line, not blank, nothing invisible in it."""
MailAddress = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$",
    ),
]
"""A mail address as HTML's `input type=email` takes it, with a full domain name."""
PhoneNumber = Annotated[str, StringConstraints(strict=True, pattern=r"^\+?[0-9][0-9-]{7,18}[0-9]$")]
