"""What people do by commands on the server itself, for the operators' audit."""

from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.message import Command
from schemas.values import NO_ORIGIN, Name

REASON_LIMIT_CHARACTERS: Final = 1_000
TARGETS_LIMIT: Final = 10


class RecordAct(Command):
    """Somebody is about to do this; said before it is done. No secret is in it, and nothing of citizens.

    `operator` is the account's name, `command` the words such as `parties key`; targets are named `party:<id>`,
    `terminal:<id>`. Where it was refused, or nobody answered, another one says so by `error`, a class of hub.errors.
    """

    TYPE: ClassVar[str] = "jp.mykey.acts.record.v1"
    PERSONAL: ClassVar[bool] = True
    act_id: UUID
    at: datetime
    operator: Name
    command: Name
    targets: Annotated[tuple[str, ...], Field(min_length=1, max_length=TARGETS_LIMIT)]
    reason: Annotated[str, StringConstraints(max_length=REASON_LIMIT_CHARACTERS)] = ""
    error: str = ""

    def key(self) -> UUID:
        """Nothing in particular, so that all come in their order."""
        return NO_ORIGIN
