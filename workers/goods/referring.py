"""New businesses that municipalities refer to fund companies: screening passed, consent, open (mission I.8)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from hub.database import Row
from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.offers import (
    ApprovalState,
    ConsentToBusiness,
    OfferDecided,
    OpenBusiness,
    ReferBusiness,
    Referral,
    Referrals,
    ReferralsOf,
    ReferralState,
    ScreenBusiness,
    ScreeningPassed,
)
from schemas.parties import PartyKind
from schemas.problems import RefusalCode
from workers.goods import statements
from workers.goods.parties import Applications

Step = ScreenBusiness | ConsentToBusiness | OpenBusiness

BEFORE: Final = {
    ScreenBusiness: ReferralState.referred,
    ConsentToBusiness: ReferralState.passed,
    OpenBusiness: ReferralState.consented,
}
"""The state from which a step leads on; the same step again, with the same outcome, changes nothing."""
WAY: Final = (ReferralState.passed, ReferralState.consented, ReferralState.open)
"""Where a later one stands, those before it are done."""


class Referring:
    """Handles what is said of referrals. Rare, so one by one."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications

    async def refer(self, messages: Sequence[ReferBusiness], tx: Transaction) -> list[Registered]:
        """See ReferBusiness."""
        return [await self._refer(message, tx) for message in messages]

    async def step(self, messages: Sequence[Step], tx: Transaction) -> list[Registered]:
        """See ScreenBusiness, ConsentToBusiness, OpenBusiness."""
        return [await self._step(message, tx, about) for about, message in enumerate(messages)]

    async def _refer(self, message: ReferBusiness, tx: Transaction) -> Registered:
        party = await tx.fetch_row(statements.PARTY, message.party_id)
        if party is None or party["kind"] != PartyKind.fund.value:
            return Registered(code=RefusalCode.unknown_party)
        if not await tx.fetch(statements.APPLICATIONS, message.party_id, [message.lg_code]):
            return Registered(code=RefusalCode.not_applied)
        asked = (message.party_id, message.lg_code, message.business)
        await tx.execute(statements.REFER, message.referral_id, *asked, tx.now)
        row = await tx.fetch_row(statements.REFERRAL, message.referral_id)
        is_same = row is not None and (row["party_id"], row["lg_code"], row["business"]) == asked
        return Registered(id=message.referral_id) if is_same else Registered(code=RefusalCode.id_conflict)

    async def _step(self, message: Step, tx: Transaction, about: int) -> Registered:
        row = await tx.fetch_row(statements.REFERRAL, message.referral_id)
        if row is None or not _is_theirs(message, row):
            return Registered(code=RefusalCode.no_referral)
        to = _after(message)
        if _is_done(to, ReferralState(row["state"])) and _offer_id(message) in {None, row["offer_id"]}:
            return Registered(id=message.referral_id)
        if row["state"] != BEFORE[type(message)].value:
            return Registered(code=RefusalCode.referral_state)
        if isinstance(message, OpenBusiness) and (code := await _approve(message, row, tx, about)) is not None:
            return Registered(code=code)
        staff_id = message.staff_id if isinstance(message, ConsentToBusiness) else None
        await tx.execute(statements.SET_REFERRAL, message.referral_id, to.value, _offer_id(message), staff_id)
        if to is ReferralState.passed:
            tx.emit(await self._passed(message.referral_id, row, tx), about)
        return Registered(id=message.referral_id)

    async def _passed(self, referral_id: UUID, row: Row, tx: Transaction) -> ScreeningPassed:
        party = await tx.fetch_row(statements.PARTY, row["party_id"])
        mails = await self._applications.mails(row["party_id"], [row["lg_code"]], tx)
        return ScreeningPassed(
            referral_id=referral_id,
            party_id=row["party_id"],
            party=party["name"] if party is not None else "",
            lg_code=row["lg_code"],
            business=row["business"],
            mail=mails[row["lg_code"]],
        )


async def referrals_of(query: ReferralsOf, reading: Reading) -> Referrals:
    """The latest first."""
    rows = await reading.fetch(statements.REFERRALS, query.party_id, query.lg_code)
    return Referrals(referrals=[Referral(**dict(row)) for row in rows])


def _is_theirs(message: Step, row: Row) -> bool:
    is_party = row["party_id"] == message.party_id
    return is_party and not (isinstance(message, ConsentToBusiness) and row["lg_code"] != message.lg_code)


def _is_done(to: ReferralState, stands: ReferralState) -> bool:
    return to is stands or (to in WAY and stands in WAY[WAY.index(to) :])


def _after(message: Step) -> ReferralState:
    if isinstance(message, ScreenBusiness):
        return ReferralState.passed if message.passed else ReferralState.failed
    return ReferralState.consented if isinstance(message, ConsentToBusiness) else ReferralState.open


def _offer_id(message: Step) -> str | None:
    """The fund that it opens by, where it opens."""
    return message.offer_id if isinstance(message, OpenBusiness) else None


async def _approve(message: OpenBusiness, row: Row, tx: Transaction, about: int) -> RefusalCode | None:
    """The consent is the approval of the fund that is posted, but of none that the municipality has sent back."""
    revision = await tx.fetch_value(statements.REVISION, message.party_id, message.offer_id)
    if revision is None:
        return RefusalCode.unknown_offer
    if await tx.fetch_value(statements.IS_SENT_BACK, message.party_id, message.offer_id, row["lg_code"]):
        return RefusalCode.offer_sent_back
    approved = (row["lg_code"], ApprovalState.approved.value, "", row["consented_by"], tx.now)
    await tx.execute(statements.DECIDE, message.party_id, message.offer_id, *approved)
    event = OfferDecided(
        party_id=message.party_id,
        offer_id=message.offer_id,
        revision=revision,
        lg_code=row["lg_code"],
        state=ApprovalState.approved,
        comment="",
    )
    tx.emit(event, about)
    return None
