"""Citizens: MyKey IDs, links to partners, mail choices (mission I.6, IV)."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StrictBool

from schemas.ids import Id
from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered
from schemas.values import NO_ORIGIN, LgCode, LinkId, MailAddress, MyKeyId, Name, Revision


class MailChoices(Said):
    """The four mail choices of a citizen (画面17, 60)."""

    on_grant: StrictBool = False
    on_expiry: StrictBool = False
    on_password_change: StrictBool = False
    on_mykey_id_change: StrictBool = False


class MailChoice(StrEnum):
    """One of them; the values are the fields of MailChoices."""

    on_grant = "on_grant"
    on_expiry = "on_expiry"
    on_password_change = "on_password_change"  # noqa: S105 - a choice
    on_mykey_id_change = "on_mykey_id_change"


class Candidate(Said):
    """A MyKey ID offered by 「自動生成」, or the outcome of 「重複チェック」.

    Where `free`, `mykey_id` is kept for this enrolment. `tries_left`: how often the same button may still be
    pressed; offered with none left, it is the one to register. `code` says why it is not free
    (schemas.problems).
    """

    mykey_id: str | None = None
    free: bool = False
    tries_left: int = 0
    code: str | None = None


class OfferMyKeyId(Command, Answered[Candidate]):
    """「自動生成」 (画面14): a free MyKey ID, kept for this enrolment; again at most to 3.

    `attempt` counts the presses of the button, so that one asked twice offers the same.
    """

    TYPE: ClassVar[str] = "jp.mykey.citizens.offer-mykey-id.v1"
    enrolment_id: UUID
    attempt: Annotated[int, Field(strict=True, ge=1, le=3)]

    def key(self) -> UUID:
        """The enrolment."""
        return self.enrolment_id


class CheckMyKeyId(Command, Answered[Candidate]):
    """「重複チェック」 (画面15): is the own choice free? After 3 failed checks only 「自動生成」."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.check-mykey-id.v1"
    PERSONAL: ClassVar[bool] = True
    enrolment_id: UUID
    mykey_id: MyKeyId

    def key(self) -> UUID:
        """The enrolment."""
        return self.enrolment_id


class RegisterCitizen(Command, Answered[Registered]):
    """A citizen takes a MyKey ID with mail address, mail choices and base municipality (画面12–17).

    `enrolment_id` is the enrolment that keeps the MyKey ID; None takes over one given elsewhere.
    """

    TYPE: ClassVar[str] = "jp.mykey.citizens.register.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    mykey_id: MyKeyId
    name: Name
    mail: MailAddress
    base_lg_code: LgCode
    choices: MailChoices
    enrolment_id: UUID | None = None

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class CitizenRegistered(Event):
    """A citizen was registered. `mail` is personal data: only the mail connector hears this one."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.registered.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    name: str
    mail: str
    choices: MailChoices

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class ChangeMailChoices(Command, Answered[Registered]):
    """The citizen changes the mail choices (画面60)."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.change-mail-choices.v1"
    citizen_id: UUID
    choices: MailChoices

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class EndMailChoice(Command, Answered[Registered]):
    """One kind of mail is not wanted any more, whatever else is: who asks need not know the other choices."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.end-mail-choice.v1"
    citizen_id: UUID
    choice: MailChoice

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class MailChoicesChanged(Event):
    """The mail choices of a citizen changed."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.mail-choices-changed.v1"
    citizen_id: UUID
    choices: MailChoices
    revision: Revision = 0

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class ChooseBaseMunicipality(Command, Answered[Registered]):
    """The citizen chooses another base municipality (画面61); it must have a scheme."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.choose-base-municipality.v1"
    citizen_id: UUID
    base_lg_code: LgCode

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class BaseMunicipalityChosen(Event):
    """Where a citizen's reserve points go by themselves."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.base-municipality-chosen.v1"
    citizen_id: UUID
    base_lg_code: LgCode

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class LinkCitizen(Command, Answered[Registered]):
    """A partner's own name for a citizen, once the membership is confirmed (画面57)."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.link.v1"
    citizen_id: UUID
    party_id: UUID
    link_id: LinkId

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class CitizenLinked(Event):
    """A citizen was linked to a partner, shop or fund."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.linked.v1"
    citizen_id: UUID
    party_id: UUID
    link_id: LinkId

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class LinkedCitizens(Said):
    """Link id → citizen id; unknown link ids are missing."""

    citizens: dict[str, Id]


class LinkedCitizensOf(Query, Answered[LinkedCitizens]):
    """Who is behind these link ids of this party?"""

    TYPE: ClassVar[str] = "jp.mykey.citizens.linked-citizens-of.v1"
    party_id: UUID
    link_ids: list[str]

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class BaseMunicipalities(Said):
    """Citizen id (as text) → lg_code of the base municipality; unknown citizens are missing."""

    lg_codes: dict[str, LgCode]


class BaseMunicipalitiesOf(Query, Answered[BaseMunicipalities]):
    """Where do reserve points of these citizens go by themselves?"""

    TYPE: ClassVar[str] = "jp.mykey.citizens.base-municipalities-of.v1"
    citizen_ids: list[UUID]

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class FoundCitizen(Said):
    """`citizen_id` is None where nobody has this MyKey ID now."""

    citizen_id: UUID | None = None


class CitizenBehind(Query, Answered[FoundCitizen]):
    """Whose MyKey ID is this?"""

    TYPE: ClassVar[str] = "jp.mykey.citizens.citizen-behind.v1"
    PERSONAL: ClassVar[bool] = True
    mykey_id: MyKeyId

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class Profile(Said):
    """What a citizen sees of the own data (画面59–62)."""

    mykey_id: str
    name: str
    mail: str
    base_lg_code: LgCode
    choices: MailChoices


class FoundProfile(Said):
    """`profile` is None where there is no such citizen."""

    profile: Profile | None = None


class ProfileOf(Query, Answered[FoundProfile]):
    """What did this citizen register? For the citizen's own pages only."""

    TYPE: ClassVar[str] = "jp.mykey.citizens.profile-of.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
