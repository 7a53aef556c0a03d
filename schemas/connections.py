"""Is the other side there? Questions that an operator asks; whoever answers one really tries it."""

from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Query, Said
from schemas.values import NO_ORIGIN, IssuerId


class ConnectionStep(Said):
    """One thing that was tried. `detail` is for a person: a key's name, a server's answer; never a secret."""

    name: str
    ok: bool
    detail: str = ""
    took_ms: float = 0.0


class ConnectionTested(Said):
    """What was tried, in order; what comes after a failed step was not tried."""

    steps: list[ConnectionStep]

    @property
    def ok(self) -> bool:
        """Whether all went well."""
        return all(step.ok for step in self.steps)


class ConnectionTest(Query, Answered[ConnectionTested]):
    """A question about a connection; each connector that has one has a type of its own."""


class MailServerReached(ConnectionTest):
    """Does the mail server let us in? Connects, logs in, and sends no mail."""

    TYPE: ClassVar[str] = "jp.mykey.connections.mail-server-reached.v1"

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class PartnerReached(ConnectionTest):
    """Can this partner sign its requests, and has it lately?"""

    TYPE: ClassVar[str] = "jp.mykey.connections.partner-reached.v1"
    party_id: UUID

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class ShopReached(ConnectionTest):
    """Can this shop or fund sign its requests, and has it lately?"""

    TYPE: ClassVar[str] = "jp.mykey.connections.shop-reached.v1"
    party_id: UUID

    def key(self) -> UUID:
        """The shop or fund."""
        return self.party_id


class LibraryReached(ConnectionTest):
    """Does the library system of this issuer let us in? Connects, logs in, asks how it is; and of no citizen."""

    TYPE: ClassVar[str] = "jp.mykey.connections.library-reached.v1"
    issuer_id: IssuerId

    def key(self) -> UUID:
        """The issuer."""
        return UUID(int=int(self.issuer_id))
