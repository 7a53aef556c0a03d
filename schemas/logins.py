"""Logging in, sessions on the server, and asking again who somebody is (mission IV.2, section 3).

A session's id is 128 random bits that the registry draws; only a keyed hash of it is kept. It stands in these messages
because a door knows nothing else of whoever comes in; all of them are sealed where they are stored or carried.
"""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.message import Answered, Command, Query, Said
from schemas.municipalities import Registered
from schemas.values import NO_ORIGIN, MailAddress, MyKeyId, TerminalId

SessionId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_-]{22}$")]
"""128 random bits, base64url."""
DeviceId = SessionId
"""By which a browser is known that a citizen has logged in with before; it logs nobody in."""
Source = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]
"""Where a log-in comes from: a network address as the door has checked it, or a terminal's id."""
GivenPassword = Annotated[str, Field(strict=True, max_length=2_048)]
"""As it was typed; how long it may be is hub.passwords' to say, this only keeps messages small."""


class SessionKind(StrEnum):
    """Whose session: a citizen's on My Page, a citizen's at a counter, a staff member's."""

    citizen = "citizen"
    counter = "counter"
    staff = "staff"


class LoggedIn(Said):
    """The session that has begun, or why none has.

    `device` is to be kept in the browser for a year, where it was asked to be remembered and was not known.
    """

    code: str | None = None
    session: SessionId | None = None
    citizen_id: UUID | None = None
    ends_at: datetime | None = None
    device: DeviceId | None = None


class LogIn(Command, Answered[LoggedIn]):
    """By MyKey ID and password. Refused `log_in_failed`, the same for unknown and wrong, and `too_many_tries`."""

    TYPE: ClassVar[str] = "jp.mykey.logins.log-in.v1"
    PERSONAL: ClassVar[bool] = True
    mykey_id: MyKeyId
    password: GivenPassword
    source: Source
    device: DeviceId | None = None
    remember: bool = False
    """Whether this browser is the citizen's own; never at a shared terminal."""
    terminal_id: TerminalId | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class LogInByCard(Command, Answered[LoggedIn]):
    """By a card proven for `log-in` (画面18), or for what is done at the counter.

    The session ends with the card's removal. `purpose` is the one that the card was proven for. A citizen who has made
    a MyKey ID just now goes on by that proof, with `create-mykey-id` and the citizen as `login_id`. Refused as proofs
    are, and `card_without_mykey_id`.
    """

    TYPE: ClassVar[str] = "jp.mykey.logins.log-in-by-card.v1"
    login_id: UUID
    """The caller's own: asked again under it, the same card logs in again."""
    proof_id: UUID
    kind: SessionKind = SessionKind.citizen
    purpose: str = "log-in"

    def key(self) -> UUID:
        """The log-in."""
        return self.login_id


class Confirm(Command, Answered[LoggedIn]):
    """Ask again who it is: by the password, or by a card proven for `confirm`; the session gets a new id.

    Asked again for the old id, the answer is the same for some minutes. Refused `no_session`, `log_in_failed`,
    `too_many_tries`, `other_citizen`, and as proofs are.
    """

    TYPE: ClassVar[str] = "jp.mykey.logins.confirm.v1"
    PERSONAL: ClassVar[bool] = True
    session: SessionId
    source: Source
    password: GivenPassword | None = None
    proof_id: UUID | None = None

    def key(self) -> UUID:
        """The session."""
        return key_of(self.session)


class Session(Said):
    """A session that is alive. `confirmed_at`: when the person was last asked again who they are."""

    kind: SessionKind
    subject_id: UUID
    """The citizen or staff member."""
    how: str
    terminal_id: str | None
    insertion: UUID | None
    begun_at: datetime
    ends_at: datetime
    confirmed_at: datetime | None


class FoundSession(Said):
    """`session` is None where there is none, or it is over."""

    session: Session | None = None


class UseSession(Command, Answered[FoundSession]):
    """Whose session is this? It counts as used now."""

    TYPE: ClassVar[str] = "jp.mykey.logins.use-session.v1"
    PERSONAL: ClassVar[bool] = True
    session: SessionId

    def key(self) -> UUID:
        """The session."""
        return key_of(self.session)


class SessionOf(Query, Answered[FoundSession]):
    """The same, without its counting as used: for what a page asks by itself."""

    TYPE: ClassVar[str] = "jp.mykey.logins.session-of.v1"
    PERSONAL: ClassVar[bool] = True
    session: SessionId

    def key(self) -> UUID:
        """The session."""
        return key_of(self.session)


class SessionsEnded(Said):
    """How many have ended by this."""

    count: int


class EndSessions(Command, Answered[SessionsEnded]):
    """End one session, all of a person, or those at a terminal: with `insertion`, those of the card taken out there.

    Exactly one of `session`, `subject_id` and `terminal_id` is given.
    """

    TYPE: ClassVar[str] = "jp.mykey.logins.end-sessions.v1"
    PERSONAL: ClassVar[bool] = True
    session: SessionId | None = None
    subject_id: UUID | None = None
    terminal_id: TerminalId | None = None
    insertion: UUID | None = None

    def key(self) -> UUID:
        """What is ended."""
        if self.session is not None:
            return key_of(self.session)
        return self.subject_id or key_of(self.terminal_id or "")

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        given = [self.session, self.subject_id, self.terminal_id]
        if sum(one is not None for one in given) != 1 or (self.insertion and not self.terminal_id):
            raise ValueError("exactly one of session, subject_id and terminal_id; insertion only with terminal_id")
        return self


class ChangePassword(Command, Answered[LoggedIn]):
    """A new password (画面59), by the old one in a session, or by a card proven for `confirm`.

    All the citizen's sessions end; where `session` was given, a new one has begun. Asked again under its `change_id` it
    is done once, and the answer is the same for some minutes. Refused `password_…`, `no_session`, `log_in_failed` (the
    old one is wrong), `too_many_tries`, `other_citizen`, and as proofs are.
    """

    TYPE: ClassVar[str] = "jp.mykey.logins.change-password.v1"
    PERSONAL: ClassVar[bool] = True
    change_id: UUID
    source: Source
    new_password: GivenPassword
    session: SessionId | None = None
    old_password: GivenPassword | None = None
    proof_id: UUID | None = None

    def key(self) -> UUID:
        """The change."""
        return self.change_id


class ChangeMailAddress(Command, Answered[Registered]):
    """Another mail address (画面59), in a session that was confirmed in the last five minutes.

    The old address is told too. The same one again has mails tried there again. Refused `no_session`, `confirm_again`.
    """

    TYPE: ClassVar[str] = "jp.mykey.logins.change-mail-address.v1"
    PERSONAL: ClassVar[bool] = True
    session: SessionId
    mail: MailAddress

    def key(self) -> UUID:
        """The session."""
        return key_of(self.session)


def key_of(secret: str) -> UUID:
    """A key to order by that does not tell the secret."""
    return UUID(bytes=sha256(secret.encode()).digest()[:16])
