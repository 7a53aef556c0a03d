"""The citizen's audience: everybody may open the portal's top, a citizen who has logged in My Page."""

from typing import Final

from connectors.portal.citizen.card_log_in import CardLogInPages
from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.citizen.checkout import CheckoutPages
from connectors.portal.citizen.coupon import CouponPages
from connectors.portal.citizen.creation import CreationPages
from connectors.portal.citizen.front import FrontPages
from connectors.portal.citizen.history import HistoryPages
from connectors.portal.citizen.home import HomePage
from connectors.portal.citizen.identity import IdentityPages
from connectors.portal.citizen.linking import LinkingPages
from connectors.portal.citizen.log_in import LogInPages
from connectors.portal.citizen.mail_reach import MailReach
from connectors.portal.citizen.menu import menu
from connectors.portal.citizen.move import MovePage
from connectors.portal.citizen.move_event import MoveEventPages
from connectors.portal.citizen.move_municipal import MoveMunicipalPages
from connectors.portal.citizen.mykey_id import MyKeyIdPages
from connectors.portal.citizen.partners import PartnersPage
from connectors.portal.citizen.profile import ProfilePage
from connectors.portal.citizen.profile_base import BasePages
from connectors.portal.citizen.profile_mail import MailPages
from connectors.portal.citizen.profile_notices import NoticesPages
from connectors.portal.citizen.profile_password import PasswordPages
from connectors.portal.citizen.revocation import RevocationPages
from connectors.portal.citizen.service_ids import ServiceIdsPage
from connectors.portal.citizen.services import ServicesPages
from connectors.portal.ground.pages import Ground, Kit
from connectors.portal.ground.trouble import TroublePages
from hub.web.app import Audience, Route
from hub.web.limits import RateLimiter, WaitingRoom

RATE_PER_S: Final = 50.0
BURST: Final = 500
"""Of one citizen, or on open pages of one address, behind which a whole town may be."""
ADDRESS_RATE_PER_S: Final = 200.0
ADDRESS_BURST: Final = 2_000
"""Of one address, whoever asks."""
IN_FLIGHT_LIMIT: Final = 256
WAITING_LIMIT: Final = 256


def citizen_routes(kit: Kit) -> list[Route]:
    """All of them."""
    trouble = TroublePages()
    audience = Audience(
        name="citizen",
        prefix="",
        title="My Page",
        title_ja="マイページ",
        authenticate=kit.sessions.authenticate,
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT),
        rate=RateLimiter(RATE_PER_S, BURST, monotonic=kit.clock.monotonic),
        address_rate=RateLimiter(ADDRESS_RATE_PER_S, ADDRESS_BURST, monotonic=kit.clock.monotonic),
        documented=False,
        trouble=trouble,
    )
    ground = trouble.ground = Ground(
        kit=kit, audience=audience, service="マイページ", home="/my", log_in="/login", log_out="/logout", menu=menu
    )
    catalogue, reach = Catalogue(kit.bus), MailReach(kit.bus, kit.clock.monotonic)
    return [
        *FrontPages(ground).routes(),
        *LogInPages(ground).routes(),
        *HomePage(ground, catalogue, reach).routes(),
        *PartnersPage(ground).routes(),
        *MovePage(ground, catalogue).routes(),
        *MoveMunicipalPages(ground, catalogue).routes(),
        *MoveEventPages(ground, catalogue).routes(),
        *HistoryPages(ground, catalogue).routes(),
        *CardLogInPages(ground).routes(),
        *CreationPages(ground).routes(),
        *CouponPages(ground, catalogue, kit.coupons).routes(),
        *CheckoutPages(ground, catalogue).routes(),
        *ServicesPages(ground).routes(),
        *LinkingPages(ground).routes(),
        *ServiceIdsPage(ground).routes(),
        *_own_data(ground, catalogue, reach),
    ]


def _own_data(ground: Ground, catalogue: Catalogue, reach: MailReach) -> list[Route]:
    """画面59–63."""
    return [
        *IdentityPages(ground).routes(),
        *ProfilePage(ground, reach).routes(),
        *MailPages(ground).routes(),
        *PasswordPages(ground).routes(),
        *BasePages(ground).routes(),
        *NoticesPages(ground).routes(),
        *MyKeyIdPages(ground).routes(),
        *RevocationPages(ground, catalogue).routes(),
    ]
