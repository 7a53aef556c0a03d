"""Shopping streets: how each takes merge files, the keys it shares with us, merges on their way (mission III.12–17)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StrictBool, StringConstraints, model_validator

from schemas.holds import HoldPlace
from schemas.message import Answered, Command, Query, Said
from schemas.municipalities import Registered
from schemas.parties import KeyAlgorithm
from schemas.service_ids import issuer_key
from schemas.uplink import AnswerReason, StreetMemberId
from schemas.values import NO_ORIGIN, IssuerId, LgCode, LinkId, Name, Points, Pool, TerminalId

MERGES_LIMIT: Final = 500

StreetCode = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9]{1,20}$")]
"""A street's short name in file names and headers."""
MergeKeyId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9-]{1,20}$")]
TransactionNumber = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{20}$")]
"""取引済番号: date and time in Japan to the second, and a serial number of six digits."""
Secret = Annotated[str, StringConstraints(strict=True, max_length=100, pattern=r"^[^\p{C}]*$")]


class IdKind(StrEnum):
    """What a street knows a citizen by."""

    service_id = "service_id"
    """The number of the street's own point card (商店街ポイントID)."""
    mykey_id = "mykey_id"


class CipherMode(StrEnum):
    """How a file is encrypted. With CBC it is a v1 file, with GCM a v2 file (docs/streets.md)."""

    cbc = "aes-128-cbc"
    cbc_hmac = "aes-128-cbc-hmac-sha256"
    """Encrypt-then-MAC by a key of its own, over IV and ciphertext."""
    gcm_128 = "aes-128-gcm"
    gcm_256 = "aes-256-gcm"

    @property
    def is_v2(self) -> bool:
        """Whether the file is authenticated by its cipher, and signed by the hub."""
        return self in {CipherMode.gcm_128, CipherMode.gcm_256}

    @property
    def key_bytes(self) -> int:
        """The length of the shared key."""
        return 32 if self is CipherMode.gcm_256 else 16


class MergeLayout(Said):
    """What a street's software takes; the defaults are v1 of docs/streets.md.

    `hash_joining`: v1 alone; `delimited` hashes the record's fields and the secret with delimiters between them. `bare`
    is without: two records may then have one hash, so it is only for software that cannot be changed.
    `file_name`: with `{number}`, and `{street}` and `{key}` where wanted.
    """

    mode: CipherMode = CipherMode.cbc
    id_kind: IdKind = IdKind.service_id
    delimiter: Literal[",", ";", "|", "\t"] = ","
    line_end: Literal["\r\n", "\n", ""] = "\r\n"
    encoding: Literal["utf-8", "cp932", "utf-16-le"] = "utf-8"
    hash_joining: Literal["delimited", "bare"] = "delimited"
    file_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._{}-]{0,59}$")] = (
        "merge-{street}-{number}.mpf"
    )

    @model_validator(mode="after")
    def _has_a_file_name(self) -> Self:
        rest = self.file_name.replace("{street}", "").replace("{key}", "")
        if rest.count("{number}") != 1 or {"{", "}"} & set(rest.replace("{number}", "")):
            raise ValueError("a file name has {number} once, and may have {street} and {key}")
        if self.file_name.endswith((".part", ".ack", ".nack")):
            raise ValueError("a file name does not end as answers and unfinished files do")
        return self

    def name_of(self, street: str, key_id: str, number: str) -> str:
        """The file's name."""
        return self.file_name.replace("{street}", street).replace("{key}", key_id).replace("{number}", number)

    @property
    def warning(self) -> str | None:
        """What staff are told of a layout that is weaker than it need be."""
        if not self.mode.is_v2 and self.hash_joining == "bare":
            return "bare joining: two records may have one hash; use delimited where the software can be changed"
        return None


class MergeKey(Said):
    """A key that we share with one street. Of two that are valid the later one makes files.

    `secret` goes into v1's hash, `mac_key` is for aes-128-cbc-hmac-sha256 alone.
    """

    key_id: MergeKeyId
    valid_from: AwareDatetime
    valid_to: AwareDatetime | None = None
    """The first moment at which it is valid no longer."""
    cipher_key: Annotated[bytes, Field(repr=False, min_length=16, max_length=32)]
    secret: Annotated[Secret, Field(repr=False)] = ""
    mac_key: Annotated[bytes | None, Field(repr=False, min_length=32, max_length=64)] = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("a key is valid for some time")
        return self

    def fits(self, mode: CipherMode) -> bool:
        """Whether files of this mode can be made with it."""
        has_rest = (mode.is_v2 or bool(self.secret)) and (mode is not CipherMode.cbc_hmac or bool(self.mac_key))
        return len(self.cipher_key) == mode.key_bytes and has_rest

    def is_valid(self, at: datetime) -> bool:
        """Whether it is valid then."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


class Street(Said):
    """A shopping street with a point system of its own; `issuer_id` is the issuer of its service IDs.

    Its terminals are those that register this issuer's numbers. Files go to the terminal where points are merged, or
    with `deliver_to` to one agent beside the street's own server.
    """

    street_id: UUID
    issuer_id: IssuerId
    code: StreetCode
    name: Name
    layout: MergeLayout = MergeLayout()
    deliver_to: TerminalId | None = None


class RegisterStreet(Command, Answered[Registered]):
    """A street is taken in, or its settings change; its id, issuer and code stay."""

    TYPE: ClassVar[str] = "jp.mykey.streets.register.v1"
    street: Street

    def key(self) -> UUID:
        """The street."""
        return self.street.street_id


class RegisterMergeKey(Command, Answered[Registered]):
    """A key is shared with a street. A key id stands for one key for ever; only its last moment may be changed."""

    TYPE: ClassVar[str] = "jp.mykey.streets.register-merge-key.v1"
    PERSONAL: ClassVar[bool] = True
    street_id: UUID
    merge_key: MergeKey

    def key(self) -> UUID:
        """The street."""
        return self.street_id


class EndMergeKey(Command, Answered[Registered]):
    """From this moment on a key makes no file; files that are on their way then are made anew when dropped again."""

    TYPE: ClassVar[str] = "jp.mykey.streets.end-merge-key.v1"
    street_id: UUID
    key_id: MergeKeyId
    valid_to: AwareDatetime

    def key(self) -> UUID:
        """The street."""
        return self.street_id


class RegisterStreetSigner(Command, Answered[Registered]):
    """What a street's server signs its requests with: raw Ed25519 public key (32 bytes) or HMAC secret (32 to 128)."""

    TYPE: ClassVar[str] = "jp.mykey.streets.register-signer.v1"
    PERSONAL: ClassVar[bool] = True
    street_id: UUID
    key_id: LinkId
    algorithm: KeyAlgorithm
    key_bytes: Annotated[bytes, Field(repr=False)]

    def key(self) -> UUID:
        """The street."""
        return self.street_id


class EndStreetSigner(Command, Answered[Registered]):
    """From this moment on nothing is signed with the key; an end may be drawn nearer, never put off.

    The doors know of it within half a minute. Refused `no_street_signer`.
    """

    TYPE: ClassVar[str] = "jp.mykey.streets.end-signer.v1"
    street_id: UUID
    key_id: LinkId
    ends_at: AwareDatetime

    def key(self) -> UUID:
        """The street."""
        return self.street_id


class FoundStreet(Said):
    """`street` is None where this issuer is no street that merges."""

    street: Street | None = None


class StreetOf(Query, Answered[FoundStreet]):
    """Which street has its cards from this issuer?"""

    TYPE: ClassVar[str] = "jp.mykey.streets.street-of.v1"
    issuer_id: IssuerId

    def key(self) -> UUID:
        """The issuer."""
        return issuer_key(self.issuer_id)


class Streets(Said):
    """By code. `hub_key` is the PEM that v2 files are verified with."""

    streets: list[Street]
    hub_key: str


class StreetsOf(Query, Answered[Streets]):
    """Which streets are there?"""

    TYPE: ClassVar[str] = "jp.mykey.streets.streets-of.v1"

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


# ------------------------------------------------------------------------------------------------------ merges


class MergeState(StrEnum):
    """Where a merge stands."""

    asked = "asked"
    """The ledger has not been heard yet."""
    failed = "failed"
    """The ledger has refused it: no points have left."""
    sent = "sent"
    """Points are set aside; the file is not there yet."""
    delivered = "delivered"
    overdue = "overdue"
    """The street has not answered in time."""
    acknowledged = "acknowledged"
    refused = "refused"
    """The points are the citizen's again."""


class MergeAnswer(Said):
    """How a merge stands, or why it was not done (`code`). `undelivered` says why its file is not there yet."""

    code: str | None = None
    state: MergeState | None = None
    points: int = 0
    number: str = ""
    left: int = 0
    """The pool's points of the citizen after it."""
    undelivered: str | None = None


class StartMerge(Command, Answered[MergeAnswer]):
    """「合算」 (画面39): points leave for the street at whose terminal this is. The same again goes on where it was."""

    TYPE: ClassVar[str] = "jp.mykey.streets.start-merge.v1"
    merge_id: UUID
    issuer_id: IssuerId
    citizen_id: UUID
    pool: Pool
    points: Points
    terminal_id: TerminalId
    lg_code: LgCode

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class StreetCardAnswer(Said):
    """What the street knows the card's citizen by, or why nothing is told (`code`)."""

    member_id: StreetMemberId | None = None
    code: str | None = None


class ReadStreetCard(Command, Answered[StreetCardAnswer]):
    """Whose card is in, asked by the street's software beside this terminal's agent (mission III.16).

    Waits for the card. Of a terminal that is no street's, `unknown_terminal`.
    """

    TYPE: ClassVar[str] = "jp.mykey.streets.read-street-card.v1"
    PERSONAL: ClassVar[bool] = True
    ask_id: UUID
    terminal_id: TerminalId

    def key(self) -> UUID:
        """The asking."""
        return self.ask_id


class DeliverMerge(Command):
    """Bring the file to where it belongs; it waits while that terminal is away."""

    TYPE: ClassVar[str] = "jp.mykey.streets.deliver-merge.v1"
    merge_id: UUID
    citizen_id: UUID
    terminal_id: TerminalId
    """Where the file goes."""

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class RedeliverMerge(Command, Answered[Registered]):
    """Staff want the file dropped once more, under the same number: the street has lost it, or the terminal has."""

    TYPE: ClassVar[str] = "jp.mykey.streets.redeliver-merge.v1"
    merge_id: UUID

    def key(self) -> UUID:
        """The merge."""
        return self.merge_id


class GiveMergeBack(Command, Answered[Registered]):
    """Staff give the points back, as if the street had refused them; who said so and why is kept.

    At once where the file is nowhere; else only with `street_confirmed`: the street says that it has not added them,
    and has removed the file. Refused `no_merge`, `merge_answered`, `merge_perhaps_there`.
    """

    TYPE: ClassVar[str] = "jp.mykey.streets.give-merge-back.v1"
    PERSONAL: ClassVar[bool] = True
    merge_id: UUID
    operator: Name
    reason: Annotated[AnswerReason, Field(min_length=1)]
    street_confirmed: StrictBool = False

    def key(self) -> UUID:
        """The merge."""
        return self.merge_id


class AnswerMerge(Command, Answered[MergeAnswer]):
    """The street's server says whether it has added the points; the first answer counts."""

    TYPE: ClassVar[str] = "jp.mykey.streets.answer-merge.v1"
    PERSONAL: ClassVar[bool] = True
    street_id: UUID
    number: TransactionNumber
    taken: bool
    reason: AnswerReason = ""

    def key(self) -> UUID:
        """The street."""
        return self.street_id


class MergeView(Said):
    """A merge as staff and the street's server see it: nothing of who it is."""

    merge_id: UUID
    street_id: UUID
    number: str
    terminal_id: str
    pool: Pool
    points: int
    state: MergeState
    reason: str = ""
    """Of the street's refusal."""
    undelivered: str | None = None
    started_at: datetime
    delivered_at: datetime | None = None


class MergeViews(Said):
    """The oldest first; `after` is where the next page begins, None on the last one."""

    merges: list[MergeView]
    after: HoldPlace | None = None


class MergesOf(Query, Answered[MergeViews]):
    """Which merges of this street are there; with `open_only` those sent that the street has not answered?"""

    TYPE: ClassVar[str] = "jp.mykey.streets.merges-of.v1"
    street_id: UUID
    open_only: bool = True
    number: TransactionNumber | None = None
    after: HoldPlace | None = None
    limit: Annotated[int, Field(ge=1, le=MERGES_LIMIT)] = MERGES_LIMIT

    def key(self) -> UUID:
        """The street."""
        return self.street_id
