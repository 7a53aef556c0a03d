"""What a counter's screens send and are told, and what each kind of terminal is for."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from schemas.cards import How
from schemas.citizens import MailChoices
from schemas.counter import Ticket
from schemas.logins import GivenPassword
from schemas.service_ids import LibraryWord, ServiceIdState, TypedNumber
from schemas.terminals import TerminalKind
from schemas.values import LgCode, MailAddress, MyKeyId, Name, Points, Pool


class Purpose(StrEnum):
    """What an operation is for; the card signs this very word, and the registry takes it for nothing else."""

    create_mykey_id = "create-mykey-id"
    change_mykey_id = "change-mykey-id"
    revoke_mykey_id = "revoke-mykey-id"
    register_service_id = "register-service-id"
    look_up_service_id = "look-up-service-id"
    merge_points = "merge-points"
    use_points = "use-points"
    issue_voucher = "issue-voucher"


MYKEY_IDS: Final = frozenset({Purpose.create_mykey_id, Purpose.change_mykey_id, Purpose.revoke_mykey_id})
SERVICE_IDS: Final = frozenset({Purpose.register_service_id, Purpose.look_up_service_id})
PURPOSES: Final[Mapping[TerminalKind, frozenset[Purpose]]] = {
    TerminalKind.service_id: SERVICE_IDS | {Purpose.merge_points},
    TerminalKind.grant: MYKEY_IDS,
    TerminalKind.point_use: frozenset({Purpose.use_points}),
    TerminalKind.voucher: frozenset({Purpose.issue_voucher}),
}
"""Kind of terminal → what it may begin: the municipal office's PC makes MyKey IDs, a library's registers its cards.

A street's terminal is of the kind service_id as well: its issuer is the street, whose points are merged there."""

REDEEM: Final = frozenset({TerminalKind.point_use, TerminalKind.voucher})


def purposes_of(kind: TerminalKind, *, point_use_too: bool) -> frozenset[Purpose]:
    """What a terminal may begin; one that is both (ア) and (イ) counts as (ア)."""
    return PURPOSES[kind] | (PURPOSES[TerminalKind.point_use] if point_use_too else frozenset())


def redeems(kind: TerminalKind, *, point_use_too: bool) -> bool:
    """Whether vouchers are redeemed there."""
    return kind in REDEEM or point_use_too


OperationHow = How | Literal["street_card"]
"""By the My Number Card, or by the number of the street's card (mission III.15)."""
State = Literal["waiting", "proven", "acting", "done", "failed", "over"]


class Shape(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BeginSession(Shape):
    """`ticket` is what the terminal's own agent has signed just now."""

    ticket: Ticket


class BegunSession(Shape):
    """`token` is shown once: it goes into `Authorization: Bearer …` and is good for 8 hours after its last use."""

    token: str
    terminal_id: str
    kind: TerminalKind
    purposes: list[Purpose]


class BeginOperation(Shape):
    """`how`: a tap is good for a look-up only, the street's own card for merging points only.

    `address_notice`: the citizen wants it: the card is asked for more.
    """

    purpose: Purpose
    how: OperationHow = "pin"
    address_notice: StrictBool = False


class BegunOperation(Shape):
    """Ask for it until it is no longer `waiting`."""

    operation_id: UUID


class OperationView(Shape):
    """How an operation stands. `name` is the citizen's as the registry has it, to be compared with the card's face.

    `code` of schemas.problems says why it failed or is over, `detail` and `detail_ja` tell a person. `signature_due`:
    the citizen's card was reissued, and what is kept for address-change notice is the old one's still.
    """

    operation_id: UUID
    purpose: Purpose
    state: State
    code: str | None = None
    detail: str = ""
    detail_ja: str = ""
    has_mykey_id: bool = False
    signature_due: bool = False
    name: str | None = None
    ends_at: datetime


class OfferForm(Shape):
    """`attempt` counts the presses of 「自動生成」."""

    attempt: Annotated[int, Field(strict=True, ge=1, le=3)]


class ChosenMyKeyId(Shape):
    """For 「重複チェック」, and for the change that follows it."""

    mykey_id: MyKeyId


class CreateForm(Shape):
    """All that a MyKey ID is made with (画面12–17)."""

    mykey_id: MyKeyId
    name: Name
    mail: MailAddress
    password: GivenPassword
    base_lg_code: LgCode
    choices: MailChoices = MailChoices()


class LosingPool(Shape):
    """Points that a revocation lets end."""

    pool: str
    points: int


class Loss(Shape):
    """What is lost by a revocation (画面63)."""

    points: int
    pools: list[LosingPool]


class NumberRead(Shape):
    """The number of the card that was read."""

    number: str
    source: Literal["felica", "typed"] | None


class RegisterForm(Shape):
    """「登録」: of this terminal's issuer. `replaces`: the citizen's other number of this issuer ends."""

    number: TypedNumber
    replaces: StrictBool = False


class ServiceIdView(Shape):
    """A citizen's number of this terminal's issuer (画面24, 27); `library` is its word, where it was asked."""

    issuer_name: str
    number: str
    state: ServiceIdState | None
    library: LibraryWord | None = None


class MergePool(Shape):
    """Points that may be merged here."""

    pool: str
    points: int


class MergeChoices(Shape):
    """What 画面37 shows: the street, the number of its card, and the points."""

    street: str
    number: str | None
    pools: list[MergePool]


class MergeForm(Shape):
    """「合算」: so many points of one pool."""

    pool: Pool
    points: Points


class MergeDone(Shape):
    """What 画面39 shows. `undelivered`: the points have left, the file comes by itself later, this is why."""

    number: str
    points: int
    left: int
    undelivered: str | None = None
    undelivered_ja: str | None = None


class Done(Shape):
    """It is done, and the operation over."""

    operation_id: UUID
    business_date: date
