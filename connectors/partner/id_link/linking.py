"""A citizen's linking, from the click to the link, and its end (画面57).

Nothing that comes back from outside is looked at before it is known to belong to this citizen, in the browser and
log-in that it was begun in, for the first time.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import structlog

from connectors.partner.id_link import linking_statements as sql
from connectors.partner.id_link.discovery import UnfitProviderError
from connectors.partner.id_link.id_tokens import UnprovenError
from connectors.partner.id_link.linking_store import LINKING_FOR, Left, Linkage, LinkingStore, Taken, hash_of
from connectors.partner.id_link.openid import Answer, OpenId, Proof, RevocationRefusedError, Secrets
from connectors.partner.outbound import DOWN_S, AwayError, ForbiddenAddressError, Outbound, UnreachedError
from hub.bus import Bus
from hub.clock import Clock
from hub.component import Apart, Handler, Unasked
from hub.errors import HubError, NoAnswerError, OutsideDownError
from hub.keys import Hasher
from hub.transaction import Transaction
from schemas.citizens import LinkedCitizensOf
from schemas.id_links import (
    AccountProven,
    BeginLinking,
    ConfirmLinking,
    LinkAccount,
    LinkIdsOf,
    LinkingBegun,
    LinkMade,
    OpenIdProvider,
    RevokeTokens,
    SetUpLinkage,
    TakeProof,
    account_text,
)
from schemas.links import CitizenUnlinked
from schemas.message import Envelope, Message
from schemas.municipalities import Registered
from schemas.problems import RefusalCode

DEADLINE_S: Final = 10.0
SHOWN_CHARS: Final = 4
RETRY_AFTER_S: Final = 30.0

log = structlog.get_logger()


async def set_up(messages: Sequence[SetUpLinkage], tx: Transaction) -> list[Registered]:
    """The last word counts; linkings that are under way go on by the new one."""
    for message in messages:
        provider = None if message.provider is None else message.provider.model_dump_json()
        membership = None if message.membership is None else message.membership.model_dump_json()
        await tx.execute(sql.SET_UP, message.party_id, provider, membership)
    return [Registered(id=message.party_id) for message in messages]


class Linkings:
    """Begins, proves, confirms and ends them."""

    def __init__(
        self,
        *,
        store: LinkingStore,
        openid: OpenId,
        outbound: Outbound,
        accounts: Hasher,
        drawing: Hasher,
        bus: Bus,
        clock: Clock,
        real_now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._openid = openid
        self._outbound = outbound
        self._accounts = accounts
        self._drawing = drawing
        self._bus = bus
        self._clock = clock
        self._real_now = real_now

    def apart(self) -> Mapping[type[Message], Apart]:
        """What speaks with others, and takes its time."""
        return {BeginLinking: self.begin, TakeProof: self.take, ConfirmLinking: self.confirm}

    def handlers(self) -> Mapping[type[Message], Handler]:
        """What is written only."""
        return {SetUpLinkage: set_up}

    async def begin(self, command: BeginLinking) -> LinkingBegun:
        """Where to log in at the party; begun again it is the same, for the citizen may be under way already."""
        linkage = await self._store.linkage(command.party_id)
        if linkage is None:
            return LinkingBegun(code=RefusalCode.no_linkage)
        state, nonce, verifier = (
            self._drawing.word(f"{command.linking_id} {what}".encode()) for what in ("state", "nonce", "verifier")
        )
        known = Secrets(nonce=nonce, verifier=verifier)
        if not await self._store.begin(command, state, known):
            return LinkingBegun(code=RefusalCode.linking_over)
        try:
            return LinkingBegun(url=await self._way_out(command.party_id, linkage, state, known))
        except (AwayError, UnfitProviderError, ForbiddenAddressError) as error:
            log.warning("linking_without_way_out", party_id=command.party_id, reason=_reason(error))
            return LinkingBegun(code=RefusalCode.party_away)

    async def _way_out(self, party_id: UUID, linkage: Linkage, state: str, known: Secrets) -> str:
        if linkage.provider is not None:
            return await self._openid.way_out(party_id, linkage.provider, state, known)
        login_url = linkage.membership.login_url if linkage.membership is not None else ""
        return f"{self._outbound.check(login_url)}?{urlencode({'linking': state})}"

    async def take(self, command: TakeProof) -> AccountProven:
        """Whose account it is, if the answer proves one."""
        taken = await self._store.take(command)
        linkage = await self._store.linkage(command.party_id)
        if taken is None or linkage is None:
            return AccountProven(code=RefusalCode.linking_over)
        if command.error is not None:
            return AccountProven(code=RefusalCode.linking_declined)
        try:
            proof = await self._prove(command, taken, linkage)
        except UnprovenError as error:
            log.warning("linking_unproven", party_id=command.party_id, reason=_reason(error))
            return AccountProven(code=RefusalCode.linking_unproven)
        except (AwayError, UnfitProviderError, ForbiddenAddressError) as error:
            log.warning("linking_party_away", party_id=command.party_id, reason=_reason(error))
            return AccountProven(code=RefusalCode.party_away)
        account_hash = self._accounts.hash(account_text(proof.issuer, proof.subject))
        await self._store.proven(taken.linking_id, proof, account_hash)
        return AccountProven(linking_id=taken.linking_id, account=shown(proof.subject))

    async def _prove(self, command: TakeProof, taken: Taken, linkage: Linkage) -> Proof:
        code = command.code
        if code is None:
            raise UnprovenError("there is no code")
        if linkage.provider is not None:
            answer = Answer(code=code, issuer=command.issuer)
            return await self._openid.prove(command.party_id, linkage.provider, answer, taken.known, self._real_now)
        if taken.proof is None or taken.answer_hash is None or not compare_digest(taken.answer_hash, hash_of(code)):
            raise UnprovenError("the party has not answered, or something else")
        return taken.proof

    async def confirm(self, command: ConfirmLinking) -> LinkMade:
        """The link, made by the registry; asked again, it is the same."""
        found = await self._store.confirmable(command, self._clock.now())
        if found is None:
            return LinkMade(code=RefusalCode.linking_over)
        # First, so that an end of the link finds it, however soon it comes.
        await self._store.keep(command.linking_id, command.citizen_id, found, self._clock.now())
        asked = LinkAccount(session=command.session, party_id=found.party_id, account_hash=found.account_hash)
        return await self._bus.call(asked, DEADLINE_S)

    async def end_left(self) -> None:
        """As the job `end_left_linkings`: the tokens of those that no link has come of are given back."""
        await asyncio.gather(*(self._end(left) for left in await self._store.left()))

    async def _end(self, left: Left) -> None:
        """One that cannot be asked about has its turn again. Kept first: an end that comes meanwhile finds it."""
        try:
            await self._store.keep(left.linking_id, left.citizen_id, left.found, left.begun_at)
            await self._store.over(left.linking_id, is_linked=await self._is_linked(left))
        except HubError as error:
            log.warning("linking_not_ended", linking_id=left.linking_id, error=type(error).__qualname__)

    async def _is_linked(self, left: Left) -> bool:
        party_id, account = left.found.party_id, left.found.account_hash
        asked = LinkIdsOf(party_id=party_id, account_hashes=(account,))
        link_id = (await self._bus.call(asked, DEADLINE_S)).link_ids.get(account.hex())
        if link_id is None:
            return False
        behind = LinkedCitizensOf(party_id=party_id, link_ids=[link_id])
        return (await self._bus.call(behind, DEADLINE_S)).citizens.get(link_id) == left.citizen_id

    async def give_back(self, envelope: Envelope) -> Unasked | None:
        """RevokeTokens: tell the provider. Raises OutsideDownError, NoAnswerError, RevocationRefusedError."""
        message = envelope.message
        if not isinstance(message, RevokeTokens):
            raise TypeError(envelope.type)
        proof = await self._store.ended(message.linking_id)
        linkage = await self._store.linkage(message.party_id)
        if proof is None or linkage is None:
            return Unasked.UNASKED
        provider = linkage.provider
        is_theirs = bool(proof.token) and provider is not None and provider.issuer == proof.issuer
        if provider is not None and is_theirs:
            await self._revoke(message.party_id, provider, proof.token)
        await self._store.forget(message.linking_id)
        return None if is_theirs else Unasked.UNASKED

    async def _revoke(self, party_id: UUID, provider: OpenIdProvider, token: str) -> None:
        try:
            if not await self._openid.revoke(provider, token):
                log.info("tokens_not_taken_back", party_id=party_id)
        except UnreachedError as error:
            raise OutsideDownError(_reason(error), destination=str(party_id), retry_after_s=DOWN_S) from error
        except AwayError as error:
            wait_s = error.retry_after_s or RETRY_AFTER_S
            raise NoAnswerError(_reason(error), destination=str(party_id), retry_after_s=wait_s) from error
        except UnfitProviderError as error:
            raise NoAnswerError(_reason(error), destination=str(party_id), retry_after_s=RETRY_AFTER_S) from error
        except ForbiddenAddressError as error:
            raise RevocationRefusedError from error


async def unlinked(events: Sequence[CitizenUnlinked], tx: Transaction) -> None:
    """What the party has given us for the account goes back to it, and nothing under way there ends by a link.

    What was begun after the link had ended is another one's.
    """
    party_ids, citizen_ids = [event.party_id for event in events], [event.citizen_id for event in events]
    gone = (party_ids, citizen_ids, [event.ended_at for event in events])
    # Linkings before accounts, as `over` has it: else each could wait for the other.
    await tx.execute(sql.FORGET_ENDED_LINKINGS, *gone)
    await tx.execute(sql.END_LINKINGS, *gone, tx.now, LINKING_FOR)
    places = {citizen_id: place for place, citizen_id in enumerate(citizen_ids)}
    for row in await tx.fetch(sql.END_ACCOUNTS, *gone, tx.now):
        revoke = RevokeTokens(party_id=row["party_id"], linking_id=row["linking_id"])
        tx.send(revoke, places[row["citizen_id"]])


def shown(subject: str) -> str:
    """What of a member's name at the party may be shown: its end, which its owner knows again."""
    return f"••••{subject[-SHOWN_CHARS:]}" if len(subject) > 2 * SHOWN_CHARS else "••••"


def _reason(error: Exception) -> str:
    """In our own words; addresses are not told."""
    return type(error).__name__ if isinstance(error, ForbiddenAddressError) else str(error)
