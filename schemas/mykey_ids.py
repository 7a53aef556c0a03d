"""A MyKey ID's life with a card: made, changed, revoked (画面12–17, 62, 63); citizens are told of it by mail."""

from typing import ClassVar
from uuid import UUID

from schemas.citizens import MailChoices
from schemas.logins import GivenPassword, SessionId
from schemas.message import Answered, Command, Event
from schemas.municipalities import Registered
from schemas.values import LgCode, MailAddress, MyKeyId, Name, Revision


class CreateMyKeyId(Command, Answered[Registered]):
    """A citizen takes a MyKey ID, with a card proven for `create-mykey-id` by its PIN (画面12–17).

    `citizen_id` is drawn by the caller: the same asked again gets the same answer. Refused as RegisterCitizen is, as
    proofs are, `password_…`, and `card_has_mykey_id`.
    """

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.create.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    proof_id: UUID
    enrolment_id: UUID
    mykey_id: MyKeyId
    name: Name
    mail: MailAddress
    password: GivenPassword
    base_lg_code: LgCode
    choices: MailChoices

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class MyKeyIdCreated(Event):
    """A citizen has made a MyKey ID with a card; said after CitizenRegistered."""

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.created.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class ChangeMyKeyId(Command, Answered[Registered]):
    """Another MyKey ID, chosen as the first one was, with a card proven for `change-mykey-id` by its PIN (画面62).

    The old one is never given again; points and links stay. Refused `mykey_id_taken`, `mykey_id_not_kept`,
    `other_citizen`, `unknown_citizen`, and as proofs are.
    """

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.change.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    proof_id: UUID
    enrolment_id: UUID
    mykey_id: MyKeyId

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class MyKeyIdChanged(Event):
    """A citizen has another MyKey ID."""

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.changed.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class RevokeMyKeyId(Command, Answered[Registered]):
    """「マイキーIDを失効しました。」 (画面63): it cannot be undone.

    What will be lost is asked of the ledger and shown before. By a card proven for `revoke-mykey-id`, or in a session
    that was confirmed in the last five minutes. Links and sessions end, the points left expire, nothing is freed but
    the card, which may make a new MyKey ID as a new citizen. Refused `other_citizen`, `unknown_citizen`, `no_session`,
    `confirm_again`, and as proofs are.
    """

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.revoke.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    proof_id: UUID | None = None
    session: SessionId | None = None

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class MyKeyIdRevoked(Event):
    """A citizen's MyKey ID has ended, and all that hung on it."""

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.revoked.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class PasswordChanged(Event):
    """A citizen has another password."""

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.password-changed.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class MailAddressChanged(Event):
    """A citizen has another mail address: both are told. Only the mail connector hears this one.

    Where `old_mail` is `mail`, the same one was registered again: it counts as good again, and nobody is told.
    """

    TYPE: ClassVar[str] = "jp.mykey.mykey-ids.mail-address-changed.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    old_mail: str
    mail: str
    revision: Revision = 0

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
