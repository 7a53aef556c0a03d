"""Terminals: what a municipality plans (様式I), what is handed out (様式II), enrolment, contacts (画面6–11, 22)."""

import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, ClassVar, Final, Self
from unicodedata import normalize
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered, lg_key
from schemas.uplink import Digest
from schemas.values import IssuerId, LgCode, MailAddress, Name, PhoneNumber, TerminalId

PLAN_ROWS_LIMIT: Final = 500
ROW_COUNT_LIMIT: Final = 500
ISSUE_LIMIT: Final = 50
"""Terminals issued at once: each has a password, and hashing one takes long."""
VALUES_LIMIT: Final = 8
PASSWORD_CHARS: Final = 16
PASSWORD_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # noqa: S105 - Crockford's base 32: none is misread
_MISREAD: Final = str.maketrans("OIL", "011")
_PASSWORD_GROUP_CHARS: Final = 4

OneTimePassword = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9A-HJKMNP-TV-Z]{16}$")]
"""80 bits drawn by chance, without the hyphens between its groups."""
PasswordHash = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^\$argon2id\$[^\s]+$")]
ValueName = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z_]{0,29}$")]
"""The name of one value of a fingerprint: `cpu`, `board`."""
Recipe = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9-]{1,20}$")]
Hex32 = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
AgentKey = Annotated[bytes, Field(min_length=32, max_length=32)]
"""A raw Ed25519 public key."""


def typed_password(text: str) -> str:
    """A one-time password as typed off paper: hyphens, spaces, width, case, and O, I, L for 0, 1, 1 do not matter."""
    return re.sub(r"[\s-]", "", normalize("NFKC", text)).upper().translate(_MISREAD)


def shown_password(password: str) -> str:
    """A one-time password as it is handed out: `7KQX-9M2D-41ZB-H8RC`."""
    ends = range(0, len(password), _PASSWORD_GROUP_CHARS)
    return "-".join(password[end : end + _PASSWORD_GROUP_CHARS] for end in ends)


def terminal_key(terminal_id: str) -> UUID:
    """The ordering key of what is said about a terminal."""
    return UUID(bytes=sha256(terminal_id.encode()).digest()[:16])


class TerminalKind(StrEnum):
    """What a terminal is for: (ア) (イ) (ウ) (エ) of 様式I."""

    service_id = "service_id"
    point_use = "point_use"
    voucher = "voucher"
    grant = "grant"


# ------------------------------------------------------------------------------------------------------- plans


class PlanRow(Said):
    """So many terminals of one kind at one place.

    A terminal that is both (ア) and (イ) counts as (ア): `point_use_too`. (ア) names its issuer. Of (エ) each
    municipality has one PC in its office, and any number of `mobile` ones.
    """

    kind: TerminalKind
    place: Name
    issuer_id: IssuerId | None = None
    point_use_too: bool = False
    mobile: bool = False
    count: Annotated[int, Field(strict=True, ge=1, le=ROW_COUNT_LIMIT)]

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind is TerminalKind.service_id) != (self.issuer_id is not None):
            raise ValueError("a terminal of kind service_id names its issuer, no other does")
        if self.point_use_too and self.kind is not TerminalKind.service_id:
            raise ValueError("only a terminal of kind service_id can be for point_use too")
        if self.mobile and self.kind is not TerminalKind.grant:
            raise ValueError("only a terminal of kind grant can be mobile")
        return self

    def sort(self) -> tuple[object, ...]:
        """What tells terminals apart in a plan: all but how many."""
        return (self.kind, self.place, self.issuer_id, self.point_use_too, self.mobile)


class FileTerminalPlan(Command, Answered[Registered]):
    """様式I: how many terminals a municipality wants where. The last one filed counts, as a whole."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.file-plan.v1"
    lg_code: LgCode
    rows: Annotated[tuple[PlanRow, ...], Field(min_length=1, max_length=PLAN_ROWS_LIMIT)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({row.sort() for row in self.rows}) != len(self.rows):
            raise ValueError("two rows tell the same: add their counts up")
        if sum(row.count for row in self.rows if row.kind is TerminalKind.grant and not row.mobile) > 1:
            raise ValueError("a municipality has one grant PC in its office; the others are mobile")
        return self

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class TerminalPlan(Said):
    """What was filed last, and how many of it are still to be issued; no rows where nothing was filed."""

    rows: tuple[PlanRow, ...] = ()
    left: int = 0


class TerminalPlanOf(Query, Answered[TerminalPlan]):
    """Which plan does this municipality have?"""

    TYPE: ClassVar[str] = "jp.mykey.terminals.plan-of.v1"
    lg_code: LgCode

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


# ----------------------------------------------------------------------------------------------------- issuing


class IssuedTerminal(Said):
    """One line of 様式II, without its password, which only whoever hands it out has seen."""

    terminal_id: TerminalId
    kind: TerminalKind
    place: str
    issuer_id: IssuerId | None = None
    point_use_too: bool = False
    mobile: bool = False


class IssuedTerminals(Said):
    """The terminals issued now; `left` of the plan are still to be issued. `code` says why there is none."""

    terminals: tuple[IssuedTerminal, ...] = ()
    left: int = 0
    code: str | None = None


class IssueTerminals(Command, Answered[IssuedTerminals]):
    """Issue what the plan still lacks, one for each hash at most: the first terminal has the first password.

    Passwords are drawn and hashed by whoever hands them out: hashing takes long, and so no other part of the system
    ever has them. Asked again it goes on, and issues nothing twice; where the answer was lost, RenewPassword.
    """

    TYPE: ClassVar[str] = "jp.mykey.terminals.issue.v1"
    PERSONAL: ClassVar[bool] = True
    lg_code: LgCode
    password_hashes: Annotated[tuple[PasswordHash, ...], Field(min_length=1, max_length=ISSUE_LIMIT)]

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class RenewPassword(Command, Answered[Registered]):
    """A new one-time password, for a lost one or for enrolling again; the one before is good no longer.

    What is enrolled works on until it is enrolled again.
    """

    TYPE: ClassVar[str] = "jp.mykey.terminals.renew-password.v1"
    PERSONAL: ClassVar[bool] = True
    terminal_id: TerminalId
    password_hash: PasswordHash

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


# --------------------------------------------------------------------------------------------------- enrolment


class TerminalContact(Said):
    """Who looks after a terminal (画面9): personal data."""

    name: Name
    section: Name
    phone: PhoneNumber
    mail: MailAddress
    address: Name


class KeptPassword(Said):
    """None where there is no such terminal. A password that is used up is told too: EnrolTerminal knows that."""

    password_hash: str | None = None


class TerminalPasswordOf(Query, Answered[KeptPassword]):
    """Against what is this terminal's one-time password checked? For the door where it is typed."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.password-of.v1"
    terminal_id: TerminalId

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class EnrolledTerminal(Said):
    """What the terminal is, once it is let in; else `code` (schemas.problems)."""

    kind: TerminalKind | None = None
    lg_code: str = ""
    place: str = ""
    code: str | None = None


class EnrolTerminal(Command, Answered[EnrolledTerminal]):
    """An agent takes its terminal's place; the one-time password is used up (画面6–10, 22).

    `password_hash` is what the password was found to fit: the door has checked it, because that takes long. The same
    again, with the same key, gets the same answer, so that a lost answer hurts nobody.
    """

    TYPE: ClassVar[str] = "jp.mykey.terminals.enrol.v1"
    PERSONAL: ClassVar[bool] = True
    terminal_id: TerminalId
    password_hash: PasswordHash
    public_key: AgentKey
    contact: TerminalContact
    issuer_id: IssuerId | None = None
    """Kind (ア) picks it; it must be the planned one."""
    fingerprint: Digest
    value_digests: Annotated[dict[ValueName, Digest], Field(max_length=VALUES_LIMIT)]
    recipe: Recipe

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class EnrolmentForm(Said):
    """What an agent sends to enrol, `POST /api/terminal/enrolments`; bytes are written in hexadecimal."""

    terminal_id: TerminalId
    one_time_password: OneTimePassword
    public_key: Hex32
    """The agent's raw Ed25519 public key."""
    contact: TerminalContact
    issuer_id: IssuerId | None = None
    """Kind (ア) alone: whose service IDs are registered at this terminal."""
    fingerprint: Hex32
    value_digests: Annotated[dict[ValueName, Hex32], Field(max_length=VALUES_LIMIT)]
    recipe: Recipe


class EnrolmentAnswer(Said):
    """What the terminal is; `hub_key` is the PEM that the agent pins: it signs the hub's side of the uplink."""

    terminal_id: TerminalId
    kind: TerminalKind
    lg_code: LgCode
    place: str
    hub_key: str


class TerminalEnrolled(Event):
    """A terminal has a new key: what was connected under an older one is not it any more."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.enrolled.v1"
    terminal_id: TerminalId
    lg_code: LgCode
    kind: TerminalKind

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


# --------------------------------------------------------------------------------------- suspended and resumed


class SuspendTerminal(Command, Answered[Registered]):
    """From now on the terminal is let in nowhere; `changed` names the values of its fingerprint that did."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.suspend.v1"
    terminal_id: TerminalId
    reason: Name
    changed: list[ValueName] = Field(default_factory=list, max_length=VALUES_LIMIT)

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class TerminalSuspended(Event):
    """A terminal is let in nowhere."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.suspended.v1"
    terminal_id: TerminalId
    lg_code: LgCode
    reason: str
    changed: list[ValueName]

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class ResumeTerminal(Command, Answered[Registered]):
    """Staff let a terminal in again as it was; one whose machine has changed needs RenewPassword and enrols again."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.resume.v1"
    terminal_id: TerminalId

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class TerminalResumed(Event):
    """A terminal is let in again."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.resumed.v1"
    terminal_id: TerminalId
    lg_code: LgCode

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


# ----------------------------------------------------------------------------------------------------- queries


class FoundAgentKey(Said):
    """By what a terminal's agent is known; `public_key` is None where none is enrolled or there is no terminal."""

    public_key: bytes | None = None
    fingerprint: bytes | None = None
    value_digests: dict[str, bytes] = Field(default_factory=dict)
    suspended: bool = False
    kind: str = ""
    lg_code: str = ""
    issuer_id: str | None = None
    place: str = ""
    point_use_too: bool = False


class AgentKeyOf(Query, Answered[FoundAgentKey]):
    """By which key, and on which machine, does this terminal speak?"""

    TYPE: ClassVar[str] = "jp.mykey.terminals.agent-key-of.v1"
    terminal_id: TerminalId

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class TerminalState(StrEnum):
    """How far a terminal is."""

    issued = "issued"
    enrolled = "enrolled"
    suspended = "suspended"


class Terminal(Said):
    """One terminal as staff see it beside 様式II (画面11)."""

    terminal_id: TerminalId
    kind: TerminalKind
    place: str
    issuer_id: IssuerId | None
    point_use_too: bool
    mobile: bool
    state: TerminalState
    password_open: bool
    """Whether a one-time password is out that was not used yet."""
    reason: str | None
    changed: list[str]
    contact: TerminalContact | None


class Terminals(Said):
    """By terminal ID."""

    terminals: list[Terminal]


class TerminalsOf(Query, Answered[Terminals]):
    """Which terminals does this municipality have, and who looks after each? For its staff only."""

    TYPE: ClassVar[str] = "jp.mykey.terminals.of.v1"
    lg_code: LgCode

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


MEANINGS: Final[Mapping[TerminalKind, str]] = {
    TerminalKind.service_id: "（ア）サービスID登録",
    TerminalKind.point_use: "（イ）ポイント利用",
    TerminalKind.voucher: "（ウ）ポイント券",
    TerminalKind.grant: "（エ）ポイント付与",
}
"""The kinds as 様式I and II name them."""
