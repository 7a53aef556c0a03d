"""A citizen links an account at the airline, which posts points to it; they are moved to the citizen's municipality."""

import asyncio
from typing import Final

from demo.market import CARD_COMPANY_NAME, PARTIES, Market, companies_and_visitor
from demo.newcomers import Newcomer, made
from demo.peers import CLIENT_ID, PartnerKey
from demo.stage import CALL_DEADLINE_S, Stage
from schemas.id_links import MembershipCheck, OpenIdProvider, SetUpLinkage
from schemas.links import Linkage, PresentParty
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.values import RESERVE

MYKEY_ID: Final = "STORY001"
PASSWORD: Final = "asagao-5082-tsuru"  # noqa: S105 - of a citizen who does not exist
MAIL: Final = "story1@mail.example"
PLACE: Final = "市民課"
POSTED: Final = 2_000
MOVED: Final = 1_500
LINKED: Final = "ID連携が完了しました。"
NEW: Final = {
    "card": (PartyKind.partner, CARD_COMPANY_NAME),
    "shop": (PartyKind.shop, "名産品ショップ"),
    "fund": (PartyKind.fund, "みらいファンド"),
}


async def play(stage: Stage) -> None:
    """Who the citizen is at the airline is proven there, and looked at here before anything is linked."""
    market, day = await _open(stage), stage.clock.business_date()
    stage.opened, before = market, await market.settled(day)
    await market.companies.ask("airline", "/listen", {})
    stage.check("linking: nobody yet", await market.companies.link_id("airline"), None)
    words, link_id = await market.link("airline")
    stage.check("linking: done", (LINKED in words, link_id is not None), (True, True))
    item = {"transfer_id": "story-1", "link_id": link_id, "points": POSTED, "to": RESERVE}
    batch = {"transfers": [item | {"occurred_at": stage.clock.now().isoformat(timespec="seconds")}]}
    told = (await market.companies.staff("airline", "POST", "/partner/transfers", batch))["results"][0]
    stage.check("linking: the airline's transfer", (told["status"], told["points"]), ("posted", POSTED))
    moved = await market.visitor.does("move", lg_code=market.lg_code, points=MOVED)
    stage.check("linking: moved", "ポイントの移行が完了しました。" in moved["words"], expected=True)
    stage.check("linking: what is held", await market.held(), (POSTED - MOVED, MOVED))
    settled = await market.settled(day) - before
    owed = {("airline", "came in"): POSTED, ("airline", "move"): MOVED}
    stage.check("linking: as it is settled", dict(settled), owed)
    stage.report["linked"] = {"posted": POSTED, "moved": MOVED}
    stage.say(f"a citizen linked an account at the airline, and moved {MOVED:,} of {POSTED:,} points")


async def _open(stage: Stage) -> Market:
    """The companies are taken in, with their keys; a citizen makes a MyKey ID and logs in."""
    keys = {"airline": stage.key} | {name: PartnerKey(stage.folder, name) for name in NEW}
    peers = companies_and_visitor(stage.other_url, keys, "airline")
    (companies, visitor), lg_code = await stage.stack.enter_async_context(peers), _lasting(stage)
    bus = stage.process.bus
    for name, (kind, shown) in NEW.items():
        await bus.call(RegisterParty(party_id=PARTIES[name], kind=kind, name=shown), CALL_DEADLINE_S)
        key = RegisterPartyKey(
            party_id=PARTIES[name],
            key_id=keys[name].key_id,
            algorithm=KeyAlgorithm.ed25519,
            key_bytes=keys[name].public_bytes,
        )
        await bus.call(key, CALL_DEADLINE_S)
    for name, party_id in PARTIES.items():
        linkage = Linkage.coupon if name == "card" else Linkage.id_link
        page = PresentParty(party_id=party_id, linkage=linkage, page_url=f"{companies.site(name)}/")
        await bus.call(page, CALL_DEADLINE_S)
    provider = OpenIdProvider(issuer=companies.issuer("airline"), client_id=CLIENT_ID)
    check = MembershipCheck(login_url=f"{companies.site('fund')}/linking")
    await asyncio.gather(
        bus.call(SetUpLinkage(party_id=PARTIES["airline"], provider=provider), CALL_DEADLINE_S),
        bus.call(SetUpLinkage(party_id=PARTIES["fund"], membership=check), CALL_DEADLINE_S),
    )
    (terminal_id,) = await stage.terminals.open(bus, stage.terminal_url, lg_code, 1, PLACE)
    newcomer = Newcomer(MYKEY_ID, PASSWORD, stage.world.citizens[0].name, MAIL, lg_code)
    citizen_id = await made(stage, newcomer, terminal_id)
    at_home = await visitor.does("log_in", mykey_id=MYKEY_ID, password=PASSWORD)
    stage.check("linking: logged in", at_home["path"], "/my")
    return Market(bus, companies, visitor, citizen_id, lg_code, PASSWORD)


def _lasting(stage: Stage) -> str:
    """A municipality whose points do not end on a day of its own choice, which may be over by now."""
    schemes = stage.world.schemes
    lasting = [scheme for scheme in schemes if not scheme.expiry_rule.startswith("date:")]
    return (lasting or schemes)[-1].lg_code
