"""Only where the demo stays up: people with virtual cards to log in as, and things for them to try (画面1, 12–63)."""

from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from demo.market import CARD_COMPANY, CARD_COMPANY_NAME
from demo.newcomers import Newcomer, made
from demo.peers import CLIENT_ID
from demo.stage import CALL_DEADLINE_S, Stage
from demo.wallets import posting
from demo.world import made_up_id
from hub import demo_file
from hub.demo_file import DemoCard, DemoOffer, DemoPerson
from hub.keys import Keys
from schemas.citizens import LinkCitizen
from schemas.grants import COUPON_KEY, Coupon, GrantPoints, RegisterCoupons, coupon_number
from schemas.id_links import OpenIdProvider, SetUpLinkage
from schemas.links import Linkage, PresentParty
from schemas.municipalities import RegisterSupportEvent
from schemas.parties import PartyKind, RegisterParty
from schemas.points import CreditPoints, MovePoints
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from schemas.values import RESERVE, event_pool, lg_check_digit, scheme_pool

POWER_COMPANY: Final = made_up_id("partner", "power")
PROGRAMME: Final = made_up_id("programme", "demo")
COUPONS: Final = {"DEMO-COUPON-0001": 500, "DEMO-COUPON-0002": 800, "DEMO-COUPON-0003": 1_200}
EVENT_DAYS: Final = 90
BLANK_CARDS: Final = 3


class Role(NamedTuple):
    """Somebody to log in as; `reserve`, `granted` and `elsewhere` are points to begin with."""

    mykey_id: str
    password: str
    reserve: tuple[int, ...]
    granted: int
    elsewhere: int
    """Points of another municipality, which expire."""
    about: str


ROLES: Final = (
    Role("DEMO0001", "mikazuki-4027-yuzu", (2_500, 1_200, 300), 800, 450, "留保ポイントを移す。電力会社とID連携する。"),
    Role("DEMO0002", "hotaru-8153-kaede", (), 4_000, 0, "クーポンコードDEMO-COUPON-0001を使う。連携を見る。"),
    Role("DEMO0003", "tsukushi-6390-nire", (640,), 0, 1_500, "基本自治体を変える。マイキーIDを失効する。"),
)


async def play(stage: Stage, file: str, issuer: str) -> DemoOffer:
    """The world of the demo's screens, and what the front page offers; `issuer` is the power company's provider."""
    bus, home = stage.process.bus, stage.world.schemes[0].lg_code
    await _open(stage, home)
    way = SetUpLinkage(party_id=POWER_COMPANY, provider=OpenIdProvider(issuer=issuer, client_id=CLIENT_ID))
    await bus.call(way, CALL_DEADLINE_S)
    ids = await stage.terminals.open(bus, stage.url, home, len(ROLES) + BLANK_CARDS)
    people = [await _person(stage, number, ids[number], home) for number in range(len(ROLES))]
    blank = [
        DemoCard(terminal_id=terminal_id, number=number) for number, terminal_id in enumerate(ids[len(ROLES) :], 1)
    ]
    offer = DemoOffer(people=tuple(people), cards=tuple(blank), mails=stage.mailbox.url)
    demo_file.write(stage.folder / file, offer)
    await stage.drained()
    return offer


async def _open(stage: Stage, home: str) -> None:
    """Three partners as citizens see them, coupons, events of the city and of its prefecture, a library, a street."""
    bus, world = stage.process.bus, stage.world
    for party_id, name in ((CARD_COMPANY, CARD_COMPANY_NAME), (POWER_COMPANY, "電力会社")):
        await bus.call(RegisterParty(party_id=party_id, kind=PartyKind.partner, name=name), CALL_DEADLINE_S)
    for party_id, linkage, name in (
        (world.partner_id, Linkage.id_link, "airline"),
        (CARD_COMPANY, Linkage.coupon, "card"),
        (POWER_COMPANY, Linkage.id_link, "power"),
    ):
        page = PresentParty(
            party_id=party_id,
            linkage=linkage,
            page_url=f"https://{name}.example/points",
            about="たまったポイントを地域経済応援ポイントに移せます。",
        )
        await bus.call(page, CALL_DEADLINE_S)
    hasher = Keys(stage.settings.key()).hasher(COUPON_KEY)
    coupons = tuple(
        Coupon(code_hash=hasher.hash((coupon_number(code) or "").encode()), points=points, pool=RESERVE)
        for code, points in COUPONS.items()
    )
    await bus.call(RegisterCoupons(party_id=CARD_COMPANY, coupons=coupons), CALL_DEADLINE_S)
    today = stage.clock.business_date()
    five = f"{home[:2]}000"
    prefecture = five + lg_check_digit(five)
    for lg_code, name in ((home, "市民まつり応援ポイント"), (prefecture, "県産品応援ポイント")):
        event = RegisterSupportEvent(
            event_id=_event_of(lg_code),
            lg_code=lg_code,
            point_name=name,
            first=today,
            last=today + timedelta(days=EVENT_DAYS),
            usable_in=(home,) if lg_code == prefecture else (),
        )
        await bus.call(event, CALL_DEADLINE_S)
    for number, (name, kind) in enumerate((("中央図書館", IssuerKind.library), ("駅前商店街", IssuerKind.street)), 1):
        issuer = Issuer(issuer_id=f"{number:06}", name=name, kind=kind, lg_code=home, pattern="[0-9]{10}")
        await bus.call(RegisterIssuer(issuer=issuer), CALL_DEADLINE_S)
    await stage.drained()


async def _person(stage: Stage, number: int, terminal_id: str, home: str) -> DemoPerson:
    """Makes a MyKey ID as anybody does, by the card and its PIN."""
    role, like = ROLES[number], stage.world.citizens[number]
    newcomer = Newcomer(role.mykey_id, role.password, like.name, f"demo{number + 1}@mail.example", home)
    citizen_id = await made(stage, newcomer, terminal_id)
    await _give(stage, citizen_id, role, home)
    await _service_ids(stage, citizen_id, number, terminal_id)
    return DemoPerson(
        name=like.name, mykey_id=role.mykey_id, password=role.password, card=terminal_id, about=role.about
    )


async def _give(stage: Stage, citizen_id: UUID, role: Role, home: str) -> None:
    bus, airline = stage.process.bus, stage.world.partner_id
    link = LinkCitizen(citizen_id=citizen_id, party_id=airline, link_id=f"al-{role.mykey_id}")
    await bus.call(link, CALL_DEADLINE_S)
    for number, points in enumerate(role.reserve):
        fields: dict[str, Any] = {**posting(citizen_id, f"{role.mykey_id}-in", number), "party_id": airline}
        await bus.call(CreditPoints(**fields, pool=RESERVE, points=points), CALL_DEADLINE_S)
    if role.granted:
        fields = {**posting(citizen_id, f"{role.mykey_id}-grant", 0), "party_id": PROGRAMME}
        pool = scheme_pool(home)
        await bus.call(GrantPoints(**fields, programme_id=PROGRAMME, pool=pool, points=role.granted), CALL_DEADLINE_S)
    if role.elsewhere:
        fields = {**posting(citizen_id, f"{role.mykey_id}-away", 0), "party_id": PROGRAMME}
        pool = scheme_pool(stage.world.schemes[1].lg_code)
        grant = GrantPoints(**fields, programme_id=PROGRAMME, pool=pool, points=role.elsewhere)
        await bus.call(grant, CALL_DEADLINE_S)
    if role.reserve and role.granted:
        move = MovePoints(
            **posting(citizen_id, f"{role.mykey_id}-move", 0), pool=event_pool(_event_of(home)), points=200
        )
        await bus.call(move, CALL_DEADLINE_S)


async def _service_ids(stage: Stage, citizen_id: UUID, number: int, terminal_id: str) -> None:
    for issuer in (1, 2):
        registering = RegisterServiceId(
            citizen_id=citizen_id,
            issuer_id=f"{issuer:06}",
            number=f"{issuer}{number:09}",
            terminal_id=terminal_id,
            operation_id=uuid4(),
        )
        await stage.process.bus.call(registering, CALL_DEADLINE_S)


def _event_of(lg_code: str) -> UUID:
    return made_up_id("event", lg_code)
