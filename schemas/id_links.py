"""ID linkage (ID連携方式, 画面57): a citizen's account at a partner, shop or fund is proven, confirmed, and linked.

An account is known by (issuer, subject), never by a mail address; it is looked up by a keyed hash of both. The party
knows the citizen by a pairwise id, which is the link id of its transfers.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.logins import SessionId, key_of
from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered
from schemas.values import LinkId

ACCOUNT_KEY: Final = "party-account"
"""The name of the key that accounts are hashed with, the same at every door."""
CALLBACK: Final = "/my/link/callback/"
"""Where a party's page sends the citizen back to, followed by the party's id: one exact address for each party."""
ACCOUNTS_LIMIT: Final = 1_000
ANSWER_LIMIT_CHARS: Final = 2_048

AccountHash = Annotated[bytes, Field(min_length=32, max_length=32)]
BrowserHash = Annotated[bytes, Field(min_length=32, max_length=32)]
"""What stands for one browser in one log-in: what began there can be ended only there."""
Address = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=500,
        pattern=r"^https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$",
    ),
]
"""Of a web service, without query: https, or http on this very machine (the hub looks at that when it goes there)."""
Subject = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$")]
"""A party's own name for one of its members (OpenID Connect Core, section 2: at most 255 ASCII characters)."""
ClientId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


def account_text(issuer: str, subject: str) -> bytes:
    """What an account's hash is taken over: no two accounts share it."""
    return f"{len(issuer)}|{issuer}|{subject}".encode()


class TokenAlgorithm(StrEnum):
    """How a party's ID tokens may be signed (RFC 7518, RFC 8037)."""

    es256 = "ES256"
    ps256 = "PS256"
    eddsa = "EdDSA"
    rs256 = "RS256"


class OpenIdProvider(Said):
    """A party's OpenID provider, whose addresses are found by discovery, and the client id it has given us."""

    issuer: Address
    client_id: ClientId
    algorithms: Annotated[tuple[TokenAlgorithm, ...], Field(min_length=1)] = (
        TokenAlgorithm.es256,
        TokenAlgorithm.ps256,
        TokenAlgorithm.eddsa,
    )


class MembershipCheck(Said):
    """A party without one: its own log-in page, whose answer it gives by its signed API."""

    login_url: Address


class SetUpLinkage(Command, Answered[Registered]):
    """How a party proves its members: by exactly one of the two. The last word counts."""

    TYPE: ClassVar[str] = "jp.mykey.id-links.set-up.v1"
    party_id: UUID
    provider: OpenIdProvider | None = None
    membership: MembershipCheck | None = None

    def key(self) -> UUID:
        """The party."""
        return self.party_id

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if (self.provider is None) == (self.membership is None):
            raise ValueError("exactly one of provider and membership")
        return self


class LinkingBegun(Said):
    """Where the citizen goes to log in at the party, or why there is no way."""

    code: str | None = None
    url: str = ""


class BeginLinking(Command, Answered[LinkingBegun]):
    """A citizen wants to link an account. Refused `no_linkage`, `party_away`.

    `linking_id` is the caller's own; asked again under it, the way is the same.
    """

    TYPE: ClassVar[str] = "jp.mykey.id-links.begin.v1"
    linking_id: UUID
    citizen_id: UUID
    party_id: UUID
    browser: BrowserHash

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class AccountProven(Said):
    """An account to be confirmed: `account` is what of its name may be shown."""

    code: str | None = None
    linking_id: UUID | None = None
    account: str = ""


class TakeProof(Command, Answered[AccountProven]):
    """What the party's page sent the citizen back with (RFC 6749 section 4.1.2, RFC 9207); good for once.

    Refused `linking_over` (unknown, too late, or begun in another browser or log-in), `linking_declined` (by the
    citizen, at the party), `linking_unproven`, `party_away`.
    """

    TYPE: ClassVar[str] = "jp.mykey.id-links.take-proof.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    party_id: UUID
    browser: BrowserHash
    state: Annotated[str, Field(max_length=ANSWER_LIMIT_CHARS)]
    code: Annotated[str, Field(max_length=ANSWER_LIMIT_CHARS)] | None = None
    issuer: Annotated[str, Field(max_length=ANSWER_LIMIT_CHARS)] | None = None
    error: Annotated[str, Field(max_length=ANSWER_LIMIT_CHARS)] | None = None

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class LinkMade(Said):
    """The link that stands, under the party's name for the citizen, or why there is none."""

    code: str | None = None
    link_id: LinkId | None = None


class ConfirmLinking(Command, Answered[LinkMade]):
    """The citizen has looked at the account and wants the link. Refused `linking_over`, and as `LinkAccount` is."""

    TYPE: ClassVar[str] = "jp.mykey.id-links.confirm.v1"
    PERSONAL: ClassVar[bool] = True
    linking_id: UUID
    citizen_id: UUID
    browser: BrowserHash
    session: SessionId

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class LinkAccount(Command, Answered[LinkMade]):
    """A proven account becomes the citizen's, in a session that was confirmed in the last five minutes.

    One account a citizen at each party, and one citizen an account; the same again changes nothing. Refused
    `no_session`, `confirm_again`, `unknown_party`, `link_taken`, `already_linked`.
    """

    TYPE: ClassVar[str] = "jp.mykey.id-links.link-account.v1"
    PERSONAL: ClassVar[bool] = True
    session: SessionId
    party_id: UUID
    account_hash: AccountHash

    def key(self) -> UUID:
        """The session."""
        return key_of(self.session)


class AccountLinked(Event):
    """A citizen has linked an account: the owner of the mail address is told, whoever it was."""

    TYPE: ClassVar[str] = "jp.mykey.id-links.account-linked.v1"
    citizen_id: UUID
    party_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class LinkIds(Said):
    """Account hash in hexadecimal → link id; accounts that nobody has linked are missing."""

    link_ids: dict[str, LinkId]


class LinkIdsOf(Query, Answered[LinkIds]):
    """Under which link ids are these accounts of this party linked?"""

    TYPE: ClassVar[str] = "jp.mykey.id-links.link-ids-of.v1"
    party_id: UUID
    account_hashes: Annotated[tuple[AccountHash, ...], Field(max_length=ACCOUNTS_LIMIT)]

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class RevokeTokens(Command):
    """Tell a party that the tokens it gave us for an account are of no use any more (RFC 7009)."""

    TYPE: ClassVar[str] = "jp.mykey.id-links.revoke-tokens.v1"
    party_id: UUID
    linking_id: UUID
    """The linking that they came by."""

    def key(self) -> UUID:
        """The party."""
        return self.party_id
