"""What staff may do about a wrong posting, what ends a MyKey ID, and commands that stand or fall together."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Query, Said
from schemas.points import PointsEvent, PostingCommand, UsePoints
from schemas.values import CommandId

GROUP_LIMIT = 16


class CorrectPosting(PostingCommand):
    """A wrong posting is reversed by a new one: asked for by one staff member, approved by another."""

    TYPE: ClassVar[str] = "jp.mykey.corrections.correct.v1"
    original_party_id: UUID
    original_command_id: CommandId
    asked_by: UUID
    approved_by: UUID


class PostingCorrected(PointsEvent):
    """A posting was reversed."""

    TYPE: ClassVar[str] = "jp.mykey.corrections.corrected.v1"
    original_command_id: str


class Original(Said):
    """A posting, as a correction of it would find it. `kind` is the ledger's word for it; `points` what it was about.

    `code` is why a correction would be refused as things stand: no_posting (all else is empty then), corrected_before,
    not_correctable; None where it would not, as far as the posting itself tells.
    """

    citizen_id: UUID | None = None
    kind: str | None = None
    points: int = 0
    code: str | None = None


class OriginalOf(Query, Answered[Original]):
    """Which posting has this id, and could it be corrected?"""

    TYPE: ClassVar[str] = "jp.mykey.corrections.original-of.v1"
    party_id: UUID
    command_id: CommandId

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class RevokeCitizen(PostingCommand):
    """「マイキーIDを失効しました。」 (画面63): what is left expires, and nothing can be posted any more."""

    TYPE: ClassVar[str] = "jp.mykey.corrections.revoke.v1"


class CitizenRevoked(PointsEvent):
    """A citizen's points ended with the MyKey ID."""

    TYPE: ClassVar[str] = "jp.mykey.corrections.revoked.v1"


class UseTogether(PostingCommand):
    """Points of several pools pay one price at a counter: all of them, or none."""

    TYPE: ClassVar[str] = "jp.mykey.points.use-together.v1"
    parts: Annotated[tuple[UsePoints, ...], Field(min_length=2, max_length=GROUP_LIMIT)]
