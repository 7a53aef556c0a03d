"""`mykey-hub offers`: what municipalities are asked by shops and funds, and their decisions, registered for them.

For as long as an office has no console: whoever types here has been told by the office, and says by whom (`--staff`).
"""

import argparse
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from rich.console import Console

from connectors.checkout.component import component
from hub.asking import DEADLINE_S, Command, asked, check, run
from hub.bus import Bus
from hub.component import Installed
from hub.printing import Listing
from schemas.offers import (
    Approval,
    ApprovalState,
    ConsentToBusiness,
    DecideOffer,
    OffersOf,
    OfferView,
    ReferralsOf,
)
from schemas.problems import RefusalCode

ASKER: Final = Installed("checkout", component)
PAGES_LIMIT: Final = 20
OFFER: Final = ("事業者", "party_id", "offer_id", "版", "商品等", "取扱事業者", "価格", "ページ", "状態", "コメント")
STATES: Final = {ApprovalState.asked: "承認依頼中", ApprovalState.approved: "承認", ApprovalState.sent_back: "差し戻し"}


def main(arguments: Sequence[str]) -> int:
    """What municipalities are asked to approve by shops and funds; their decisions.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub offers", description="What municipalities' points may be used for.")
    sub = made.add_subparsers(required=True, metavar="command")

    def add(name: str, about: str, command: Command, *what: str) -> argparse.ArgumentParser:
        one = sub.add_parser(name, help=about, description=about)
        for argument in what:
            one.add_argument(argument, type=int if argument == "revision" else str)
        one.set_defaults(command=command)
        return one

    listed = add(
        "list", "what a municipality is or was asked to approve, and the funds it may select", _list, "lg_code"
    )
    listed.add_argument("--state", type=ApprovalState, choices=list(ApprovalState))
    offer = ("lg_code", "party_id", "offer_id", "revision")
    approve = add("approve", "an office approves an offer, as it is at this revision", _decide, *offer)
    back = add("send-back", "an office sends an offer back with a comment", _decide, *offer)
    back.add_argument("--comment", required=True)
    approve.set_defaults(approve=True, comment="")
    back.set_defaults(approve=False)
    add("referrals", "the businesses that a municipality has referred to funds", _referrals, "lg_code")
    consent = add("consent", "an office consents to the opening of a business", _consent, "lg_code", "referral_id")
    for one in (approve, back, consent):
        one.add_argument("--staff", dest="staff_id", required=True, metavar="STAFF_ID", help="who has decided it")
    return made


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
        lg_code=options.lg_code,
        party_id=options.party_id,
        offer_id=options.offer_id,
        revision=options.revision,
        approve=options.approve,
        comment=options.comment,
        staff_id=options.staff_id,
    )
    check((await bus.call(command, DEADLINE_S)).code)
    console.print(f"{command.offer_id}: {'approved' if command.approve else 'sent back'}")


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
    check((await bus.call(command, DEADLINE_S)).code)
    console.print(f"{command.referral_id}: consented")
