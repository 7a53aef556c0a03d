"""For parties without OpenID Connect: they log the member in, and tell us by their signed API who it was.

The hub sends the citizen to the party's page with `?linking=…`. The party answers server to server, and sends the
browser on to the address that it gets for that. What comes back by the browser names nobody: it is good in the browser
that the linking began in, and nowhere else.
"""

from functools import partial
from typing import Annotated, Final
from urllib.parse import urlencode

from aiohttp import web
from pydantic import Field

from connectors.partner.audience import LINKS
from connectors.partner.id_link.linking_store import LinkingStore
from connectors.partner.id_link.openid import Proof, new_secret
from connectors.partner.shapes import Body
from hub.bus import Bus
from hub.keys import Hasher
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.id_links import ACCOUNTS_LIMIT, CALLBACK, LinkIdsOf, Subject, account_text
from schemas.problems import ProblemCode
from schemas.values import LinkId

BODY_LIMIT_BYTES: Final = 1 << 20
DEADLINE_S: Final = 10.0


class MembershipAnswer(Body):
    """Who has logged in: `linking` as it came with the browser, `subject` your own name for the member."""

    linking: Annotated[str, Field(strict=True, min_length=43, max_length=43, pattern=r"^[A-Za-z0-9_-]{43}$")]
    subject: Subject


class MembershipTaken(Body):
    """Where to send the browser now, by a redirect (303); good once, in that browser only."""

    return_to: str


class Accounts(Body):
    """1 to 1,000 of your own members, by the names that their accounts are linked by (`sub`)."""

    subjects: Annotated[list[Subject], Field(min_length=1, max_length=ACCOUNTS_LIMIT)]


class AccountLink(Body):
    """A member's link: `link_id` is null where the member is not linked, or not any more."""

    subject: str
    link_id: LinkId | None


class AccountLinks(Body):
    """In the order of the question."""

    links: list[AccountLink]


class LinkDoor:
    """`POST /membership-answers` and `POST /link-lookups`."""

    def __init__(self, bus: Bus, store: LinkingStore, accounts: Hasher, own_url: str) -> None:
        self._bus = bus
        self._store = store
        self._accounts = accounts
        self._own_url = own_url

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        make = partial(Route, audience=audience, permission=LINKS, method="POST")
        return [
            make(
                path="/membership-answers",
                handler=self.answer,
                summary="Tell which member has logged in on your page for a linking (partners without OpenID Connect)",
                summary_ja="ID連携の会員確認の回答（OpenID Connectを使わない会社向け）",
                request=MembershipAnswer,
                response=MembershipTaken,
                problems=[ProblemCode.not_found],
            ),
            make(
                path="/link-lookups",
                handler=self.look_up,
                summary="Under which link ids your members are linked",
                summary_ja="会員の連携IDの照会",
                request=Accounts,
                response=AccountLinks,
            ),
        ]

    async def answer(self, request: web.Request) -> web.Response:
        """Once for each linking; one that is over, or another party's, is as unknown as one that never was."""
        told = await read_model(request, MembershipAnswer, BODY_LIMIT_BYTES)
        party_id = caller_of(request).party_id
        linkage = await self._store.linkage(party_id)
        if linkage is None or linkage.membership is None:
            raise ProblemError(ProblemCode.not_found)
        code = new_secret()
        proof = Proof(issuer=f"urn:uuid:{party_id}", subject=told.subject)
        if not await self._store.answer(party_id, told.linking, code, proof):
            raise ProblemError(ProblemCode.not_found)
        query = urlencode({"state": told.linking, "code": code})
        return json_response(MembershipTaken(return_to=f"{self._own_url}{CALLBACK}{party_id}?{query}"))

    async def look_up(self, request: web.Request) -> web.Response:
        """The caller's own members only: another issuer's accounts have other hashes."""
        subjects = (await read_model(request, Accounts, BODY_LIMIT_BYTES)).subjects
        party_id = caller_of(request).party_id
        linkage = await self._store.linkage(party_id)
        provider = None if linkage is None else linkage.provider
        issuer = f"urn:uuid:{party_id}" if provider is None else provider.issuer
        hashes = [self._accounts.hash(account_text(issuer, subject)) for subject in subjects]
        asked = LinkIdsOf(party_id=party_id, account_hashes=tuple(hashes))
        found = (await self._bus.call(asked, deadline_s=DEADLINE_S)).link_ids
        pairs = zip(subjects, hashes, strict=True)
        return json_response(
            AccountLinks(links=[AccountLink(subject=one, link_id=found.get(hashed.hex())) for one, hashed in pairs])
        )
