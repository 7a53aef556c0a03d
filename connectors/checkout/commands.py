"""`mykey-hub offers`: which shops and funds municipalities use, what they are asked by them, and their decisions.

Registered for them as long as an office has no console: whoever types here has been told by the office, and says by
whom (`--staff`).
"""

import argparse
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from rich.console import Console

from connectors.checkout.component import component
from hub.asking import DEADLINE_S, Commands, act, asked, check, run
from hub.bus import Bus
from hub.component import Installed
from hub.ids import uuid7
from hub.printing import Listing
from schemas.offers import (
    ApplyForParty,
    Approval,
    ApprovalState,
    ConsentToBusiness,
    DealMode,
    DecideOffer,
    OffersOf,
    OfferView,
    ReferBusiness,
    ReferralsOf,
    ReferralState,
)
from schemas.problems import RefusalCode

ASKER: Final = Installed("checkout", component)
PAGES_LIMIT: Final = 20
OFFER: Final = ("事業者", "party_id", "offer_id", "版", "商品等", "取扱事業者", "価格", "ページ", "状態", "コメント")
STATES: Final = {ApprovalState.asked: "承認依頼中", ApprovalState.approved: "承認", ApprovalState.sent_back: "差し戻し"}


def main(arguments: Sequence[str]) -> int:
    """Shops and funds that municipalities use; what these ask them to approve; their decisions.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub offers", description="What municipalities' points may be used for.")
    add = Commands(made).add
    apply = add(
        "apply", "an office applies for a shop or fund: points may be used there", _apply, "lg_code", "party_id"
    )
    apply.add_argument(
        "mode", type=DealMode, choices=list(DealMode), help="through the shop's company, or with merchants"
    )
    apply.add_argument("--mail", required=True, metavar="ADDRESS", help="where the office is asked for approvals")
    listed = add(
        "list", "what a municipality is or was asked to approve, and the funds it may select", _list, "lg_code"
    )
    listed.add_argument("--state", type=ApprovalState, choices=list(ApprovalState))
    offer = ("lg_code", "party_id", "offer_id")
    approve = add("approve", "an office approves an offer, as it is at this revision", _decide, *offer)
    back = add("send-back", "an office sends an offer back with a comment", _decide, *offer)
    back.add_argument("--comment", required=True)
    for one in (approve, back):
        one.add_argument("revision", type=int)
        one.add_argument(
            "--id", metavar="UUID", help="of the decision, where it was not answered before (console acts)"
        )
    approve.set_defaults(approve=True, comment="")
    back.set_defaults(approve=False)
    refer = add("refer", "an office refers a business to a fund", _refer, "lg_code", "party_id", "business")
    refer.add_argument("--id", metavar="UUID", help="its id, if it has one already; else one is drawn")
    add("referrals", "the businesses that a municipality has referred to funds", _referrals, "lg_code")
    consent = add("consent", "an office consents to the opening of a business", _consent, "lg_code", "referral_id")
    for one in (approve, back, consent):
        one.add_argument("--staff", dest="staff_id", required=True, metavar="STAFF_ID", help="who has decided it")
    return made


async def _apply(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(
        ApplyForParty, lg_code=options.lg_code, party_id=options.party_id, mode=options.mode, mail=options.mail
    )
    await act(bus, "offers apply", command, [f"municipality:{command.lg_code}", f"party:{command.party_id}"])
    console.print(f"{command.lg_code}: what it approves at {command.party_id} may be paid with its points")


async def _list(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    query = asked(OffersOf, lg_code=options.lg_code, state=options.state)
    table = Listing(*OFFER, whole={"party_id", "offer_id", "版"}, right={"価格"})
    for _ in range(PAGES_LIMIT):
        found = await bus.call(query, DEADLINE_S)
        for one in found.offers:
            table.add_row(*_cells(one))
        if found.after is None:
            break
        query = query.model_copy(update={"after": found.after})
    else:
        console.print(f"there are more than these {PAGES_LIMIT * query.limit}: ask for one --state")
    console.print(table)


def _cells(one: OfferView) -> list[str]:
    approval: Approval | None = next(iter(one.approvals), None)
    state, comment = ("", "") if approval is None else (STATES[approval.state], approval.comment)
    price = "" if one.price is None else f"{one.price:,}"
    about = [one.party, str(one.party_id), one.offer_id, str(one.revision), one.title, one.merchant]
    return [*about, price, one.page_url, state, comment]


async def _decide(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(
        DecideOffer,
        decision_id=options.id or uuid7(),
        lg_code=options.lg_code,
        party_id=options.party_id,
        offer_id=options.offer_id,
        revision=options.revision,
        approve=options.approve,
        comment=options.comment,
        staff_id=options.staff_id,
    )
    words = "offers approve" if command.approve else "offers send-back"
    offer = (f"municipality:{command.lg_code}", f"party:{command.party_id}", f"offer:{command.offer_id}")
    await act(bus, words, command, [*offer, f"decision:{command.decision_id}", f"staff:{command.staff_id}"])
    console.print(f"{command.offer_id}: {'approved' if command.approve else 'sent back'}")


async def _refer(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(
        ReferBusiness,
        referral_id=options.id or uuid7(),
        lg_code=options.lg_code,
        party_id=options.party_id,
        business=options.business,
    )
    if options.id is None:
        command = command.model_copy(update={"referral_id": await _id_of(bus, command)})
    await act(
        bus,
        "offers refer",
        command,
        [f"municipality:{command.lg_code}", f"party:{command.party_id}", f"referral:{command.referral_id}"],
    )
    console.print(f"{command.referral_id} {command.business}")


async def _id_of(bus: Bus, command: ReferBusiness) -> UUID:
    """The referral that waits to be screened already, where somebody types it again."""
    for one in (await bus.call(ReferralsOf(lg_code=command.lg_code), DEADLINE_S)).referrals:
        is_so = (one.party_id, one.business) == (command.party_id, command.business)
        if is_so and one.state is ReferralState.referred:
            return one.referral_id
    return command.referral_id


async def _referrals(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    table = Listing(
        "referral_id", "party_id", "事業", "状態", "offer_id", whole={"referral_id", "party_id", "offer_id"}
    )
    for one in (await bus.call(asked(ReferralsOf, lg_code=options.lg_code), DEADLINE_S)).referrals:
        table.add_row(str(one.referral_id), str(one.party_id), one.business, one.state.value, one.offer_id or "")
    console.print(table)


async def _consent(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    referrals = (await bus.call(asked(ReferralsOf, lg_code=options.lg_code), DEADLINE_S)).referrals
    theirs: dict[str, UUID] = {str(one.referral_id): one.party_id for one in referrals}
    if options.referral_id not in theirs:
        check(RefusalCode.no_referral)
    command = asked(
        ConsentToBusiness,
        referral_id=options.referral_id,
        party_id=theirs[options.referral_id],
        lg_code=options.lg_code,
        staff_id=options.staff_id,
    )
    await act(
        bus,
        "offers consent",
        command,
        [f"municipality:{command.lg_code}", f"referral:{command.referral_id}", f"staff:{command.staff_id}"],
    )
    console.print(f"{command.referral_id}: consented")
