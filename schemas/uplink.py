"""What an agent at a terminal and the hub say to each other over the uplink, and the texts that both sides sign.

The agent dials out to the hub over one WebSocket. Both prove who they are by Ed25519 signatures over `handshake_text`;
from then on each direction counts its frames. The hub sends jobs, the agent sends results and events.
"""

from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.message import Said
from schemas.values import TerminalId

AGENT_PROTOCOL: Final = "mykey-agent-auth/1"
CARD_PROTOCOL: Final = "mykey-card-auth/1"
NONCE_BYTES: Final = 32
JOB_LIMIT_S: Final = 120
FRAME_LIMIT_BYTES: Final = 64 * 1024
CERTIFICATE_LIMIT_BYTES: Final = 8 * 1024
_UNIT_SEPARATOR: Final = "\x1f"

Nonce: TypeAlias = Annotated[bytes, Field(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
Digest: TypeAlias = Annotated[bytes, Field(min_length=32, max_length=32)]
Signature: TypeAlias = Annotated[bytes, Field(min_length=64, max_length=512)]
Certificate: TypeAlias = Annotated[bytes, Field(min_length=64, max_length=CERTIFICATE_LIMIT_BYTES)]
Purpose: TypeAlias = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""What a card is asked for, such as `register-service-id`; the card's signature is good for this alone."""
CardNumber: TypeAlias = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9A-Za-z$+./:-]{1,64}$")]
"""A number as a street's or a library's card gives it: NW-7 start and stop characters too."""
Typed: TypeAlias = Annotated[str, StringConstraints(max_length=16)]
Target: TypeAlias = Annotated[str, StringConstraints(max_length=500)]
FileName: TypeAlias = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A merge file's name: no folder, nothing hidden, the same on every system."""
AnswerReason: TypeAlias = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\p{C}]*$")]
"""Why a street does not want points, in its own words."""
StreetMemberId: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""What a street knows a citizen by: the street point ID, or the MyKey ID where it keeps those."""
MERGE_FILE_LIMIT_BYTES: Final = 1_024
MERGE_FILES_LIMIT: Final = 32
"""Of one frame: so many of the largest fit into it."""


PATH: Final = "/agent/v1"
"""Where the hub listens for agents, below its origin."""


class Closing(IntEnum):
    """Why the hub hangs up, as WebSocket's own codes for private use (RFC 6455 section 7.4.2)."""

    bad_frame = 4400
    refused = 4403
    too_slow = 4408
    """The handshake took too long."""
    replaced = 4409
    """The terminal has connected anew, from here or from elsewhere."""
    too_many = 4429


class Role(StrEnum):
    """Which side signs a handshake."""

    hub = "hub"
    agent = "agent"


def handshake_text(
    role: Role, hub_origin: str, terminal_id: str, hub_nonce: bytes, agent_nonce: bytes, fingerprint: bytes
) -> bytes:
    """What each side signs in the handshake: `hub_origin` is scheme, host and port as the agent has it configured."""
    terminal = terminal_id.encode()
    head = f"{AGENT_PROTOCOL}\0{role}\0".encode()
    origin = sha256(hub_origin.encode()).digest()
    return head + origin + len(terminal).to_bytes(1) + terminal + hub_nonce + agent_nonce + fingerprint


def card_text(hub_origin: str, nonce: bytes, job_id: UUID, purpose: str, terminal_id: str) -> bytes:
    """What the citizen's card signs for one job (RSASSA-PKCS1-v1_5 with SHA-256 over this text): 128 bytes."""
    job = _UNIT_SEPARATOR.join((str(job_id), purpose, terminal_id))
    parts = (CARD_PROTOCOL.encode(), hub_origin.encode(), nonce, job.encode())
    return b"".join(sha256(part).digest() for part in parts)


# --------------------------------------------------------------------------------------------------- handshake


class Hello(Said):
    """The agent's first words: who it is; sent in the clear of TLS, proven by `Proof`."""

    kind: Literal["hello"] = "hello"
    terminal_id: TerminalId
    agent_nonce: Nonce
    fingerprint: Digest
    value_digests: Annotated[dict[str, Digest], Field(max_length=8)]
    """One HMAC for each value of the fingerprint, by its name, so that staff can see which one changed."""
    recipe: Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9-]{1,20}$")]
    """Which values went into the fingerprint: `pc-1`, `android-1`."""
    version: Annotated[str, StringConstraints(strict=True, max_length=40)]


class Challenge(Said):
    """The hub's answer: its nonce, and its signature over both nonces, by which the agent knows the hub it pinned."""

    kind: Literal["challenge"] = "challenge"
    hub_nonce: Nonce
    signature: Signature


class Proof(Said):
    """The agent's signature over both nonces."""

    kind: Literal["proof"] = "proof"
    signature: Signature


class Welcome(Said):
    """The hub has let the agent in; from now on frames are counted from 1 in each direction."""

    kind: Literal["welcome"] = "welcome"


class Refused(Said):
    """The hub lets nobody in: `code` is one of schemas.problems; the connection is closed after it."""

    kind: Literal["refused"] = "refused"
    code: str


# -------------------------------------------------------------------------------------------------------- jobs


class _Job(Said):
    """Single-use, for this terminal only; `limit_s` is how long it is good for from when the agent receives it."""

    job_id: UUID
    limit_s: Annotated[float, Field(gt=0, le=JOB_LIMIT_S)]


class CardJob(_Job):
    """Have the card in the reader prove itself.

    `pin`: read the user-authentication certificate, have the PIN typed, sign `card_text`. `tap`: read the certificate
    only. `again` is the insertion of an earlier job of the same operation: the very card must still be in, it signs
    without another PIN, and anything else is `removed`. `address_change` also reads the signature certificate (its own
    password is asked for) and tells its serial, nothing more of it; with `again` the card is held on also where that
    password is not given, so that the operation goes on without.
    """

    kind: Literal["card"] = "card"
    purpose: Purpose
    nonce: Nonce
    how: Literal["pin", "tap"] = "pin"
    again: UUID | None = None
    address_change: bool = False


class ReleaseJob(_Job):
    """The operation is over: the card is powered off, so that what was typed is forgotten."""

    kind: Literal["release"] = "release"


class NumberJob(_Job):
    """Take the number of the street's or library's card that is read next: FeliCa, or a reader that types."""

    kind: Literal["number"] = "number"


class NotifyJob(_Job):
    """Hand a service ID's number to the library's or street's program, by the issuer's number-notification method."""

    kind: Literal["notify"] = "notify"
    number: CardNumber
    method: Literal["keyboard", "clipboard", "file", "url"]
    prefix: Typed = ""
    suffix: Typed = ""
    enter: bool = True
    clear_after_s: Annotated[int, Field(ge=1, le=300)] = 20
    """`clipboard`: how long the number stays there."""
    target: Target = ""
    """`file`: the file's name in the agent's configured folder; `url`: with `{number}`, loopback or intranet only."""


class MergeFile(Said):
    """A file for the street's own program. `again`: it was there before, and staff want it dropped once more."""

    name: FileName
    content: Annotated[bytes, Field(min_length=1, max_length=MERGE_FILE_LIMIT_BYTES, repr=False)]
    again: bool = False


class MergeFilesJob(_Job):
    """Put merge files (合算ポイントファイル) into the folder that the street's program looks into.

    Sent only to an agent that has told of its `MergeFolder`. The same file asked again is the same file.
    """

    kind: Literal["merge_files"] = "merge_files"
    files: Annotated[list[MergeFile], Field(min_length=1, max_length=MERGE_FILES_LIMIT)]


Job: TypeAlias = Annotated[CardJob | ReleaseJob | NumberJob | NotifyJob | MergeFilesJob, Field(discriminator="kind")]


class MergeAnswersTaken(Said):
    """The hub has these answers durably: the agent need not tell them again."""

    kind: Literal["merge_answers_taken"] = "merge_answers_taken"
    names: Annotated[list[FileName], Field(max_length=MERGE_FILES_LIMIT)]


class StreetCardTold(Said):
    """The answer to a StreetCardAsk: what the street knows the card's citizen by, or `code` (schemas.problems)."""

    kind: Literal["street_card"] = "street_card"
    ask_id: UUID
    member_id: Annotated[StreetMemberId | None, Field(repr=False)] = None
    code: str | None = None


# ----------------------------------------------------------------------------------------------------- results


class Outcome(StrEnum):
    """How a job ended."""

    done = "done"
    no_card = "no_card"
    not_jpki = "not_jpki"
    """A card, but not a My Number Card."""
    wrong_pin = "wrong_pin"
    """Not typed again by the agent itself: a new job has to be made."""
    blocked = "blocked"
    removed = "removed"
    """The card was taken out, or another one put in, while the job or the operation was under way."""
    cancelled = "cancelled"
    expired = "expired"
    reader_failed = "reader_failed"
    """No reader, a silent card, or an answer that cannot be understood."""
    busy = "busy"
    """Another job is under way at this terminal."""
    not_handed_on = "not_handed_on"
    """A number could not be handed to the other program."""
    signature_password_wrong = "signature_password_wrong"  # noqa: S105 - no password
    """The hub's word, where an agent's `wrong_pin` comes with a signature: the PIN was right."""
    signature_password_blocked = "signature_password_blocked"  # noqa: S105 - no password
    """The same for `blocked`."""


class CardResult(Said):
    """What came of a CardJob or ReleaseJob. What the card did not give is None."""

    kind: Literal["card"] = "card"
    job_id: UUID
    outcome: Outcome
    insertion: UUID | None = None
    """Drawn when a card is put in; the same until it is taken out."""
    certificate: Certificate | None = None
    signature: Signature | None = None
    tries_left: Annotated[int, Field(ge=0, le=15)] | None = None
    signature_serial: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2,40}$")] | None = None
    """Serial number of the signature certificate, in lower-case hexadecimal."""


class NumberResult(Said):
    """What came of a NumberJob: `source` is how the number was read."""

    kind: Literal["number"] = "number"
    job_id: UUID
    outcome: Outcome
    number: CardNumber | None = None
    source: Literal["felica", "typed"] | None = None


class NotifyResult(Said):
    """What came of a NotifyJob."""

    kind: Literal["notify"] = "notify"
    job_id: UUID
    outcome: Outcome


class MergeTrouble(StrEnum):
    """Why a file cannot be put into the merge folder."""

    no_folder = "no_folder"
    """This agent has none in its settings."""
    missing = "missing"
    """The folder is not there: its disk or share is away."""
    read_only = "read_only"
    full = "full"
    exists = "exists"
    """Another file has its name, which is never written over."""
    failed = "failed"


class Dropped(Said):
    """What became of one file: it is there, or `trouble` says why not."""

    name: FileName
    trouble: MergeTrouble | None = None


class MergeFilesResult(Said):
    """What came of a MergeFilesJob: where it is done, a word for each of its files."""

    kind: Literal["merge_files"] = "merge_files"
    job_id: UUID
    outcome: Outcome
    files: list[Dropped] = Field(default_factory=list, max_length=MERGE_FILES_LIMIT)


class MergeFolder(Said):
    """How the merge folder is: told when the connection begins, and when it changes; by who has none, never."""

    kind: Literal["merge_folder"] = "merge_folder"
    trouble: MergeTrouble | None = None


class MergeFileAnswer(Said):
    """The street's program has answered a file: it has added the points, or does not want them."""

    name: FileName
    taken: bool
    reason: AnswerReason = ""


class MergeAnswers(Said):
    """What the street's program has answered; told again until the hub has said `MergeAnswersTaken`."""

    kind: Literal["merge_answers"] = "merge_answers"
    answers: Annotated[list[MergeFileAnswer], Field(min_length=1, max_length=MERGE_FILES_LIMIT)]


class StreetCardAsk(Said):
    """The street's software beside the agent asks whose card is in, and the person at the terminal agrees.

    One at a time; the hub has the card read by a CardJob, and answers by StreetCardTold.
    """

    kind: Literal["street_card"] = "street_card"
    ask_id: UUID


class CardEvent(Said):
    """A card was put in or taken out."""

    kind: Literal["event"] = "event"
    what: Literal["inserted", "removed"]
    insertion: UUID


class ReaderState(Said):
    """Whether a reader is there."""

    kind: Literal["reader"] = "reader"
    connected: bool


FromHub: TypeAlias = Annotated[
    CardJob | ReleaseJob | NumberJob | NotifyJob | MergeFilesJob | MergeAnswersTaken | StreetCardTold,
    Field(discriminator="kind"),
]
FromAgent: TypeAlias = Annotated[
    CardResult
    | NumberResult
    | NotifyResult
    | MergeFilesResult
    | CardEvent
    | ReaderState
    | MergeFolder
    | MergeAnswers
    | StreetCardAsk,
    Field(discriminator="kind"),
]


class HubFrame(Said):
    """A frame from the hub; `seq` counts from 1."""

    seq: Annotated[int, Field(strict=True, ge=1)]
    said: FromHub


class AgentFrame(Said):
    """A frame from the agent; `seq` counts from 1."""

    seq: Annotated[int, Field(strict=True, ge=1)]
    said: FromAgent
