"""The route table: the only place that says who hears what, and how often it is tried again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hub.component import Component
from hub.errors import PermanentError, UnroutableError
from hub.retry import PATIENT, PROMPT, RetryPolicy
from schemas import (
    acts,
    audit,
    card_jobs,
    cards,
    checkouts,
    citizens,
    clockwork,
    connections,
    corrections,
    grants,
    history,
    holds,
    id_links,
    libraries,
    links,
    logins,
    merges,
    municipalities,
    mykey_ids,
    notices,
    offers,
    outages,
    parties,
    partner_files,
    places,
    points,
    service_ids,
    settlement,
    shop_orders,
    streets,
    terminals,
    vouchers,
    webhooks,
)
from schemas.catalog import CATALOG
from schemas.message import Command, Event, Message, Query


@dataclass(frozen=True, slots=True)
class Route:
    """Who receives a message type (component names), and the retry policy of its deliveries."""

    receivers: tuple[str, ...]
    retry: RetryPolicy = PROMPT
    outside: str = ""
    """Done outside a transaction, in lanes of their own under this name, so that slow work holds nothing else up."""

    def delivered_to(self) -> tuple[str, ...]:
        """The receivers' names in hub.delivery."""
        return tuple(f"{name}.{self.outside}" for name in self.receivers) if self.outside else self.receivers


def _to(*receivers: str) -> Route:
    return Route(receivers)


def _outside(receiver: str, lanes: str = "outside") -> Route:
    return Route((receiver,), PATIENT, outside=lanes)


ROUTES: Final[Mapping[type[Message], Route]] = {
    # commands: exactly one receiver
    points.CreditPoints: _to("ledger"),
    points.MovePoints: _to("ledger"),
    points.SweepReserve: _to("ledger"),
    points.UsePoints: _to("ledger"),
    points.ExpirePoints: _to("ledger"),
    points.RecordRefusal: _to("ledger"),
    corrections.UseTogether: _to("ledger"),
    corrections.CorrectPosting: _to("ledger"),
    corrections.RevokeCitizen: _to("ledger"),
    grants.GrantPoints: _to("ledger"),
    grants.RegisterCoupons: _to("ledger"),
    grants.VoidCoupons: _to("ledger"),
    grants.AskCoupon: _to("partner"),
    grants.CreditCoupon: _to("ledger"),
    vouchers.IssueVoucher: _to("ledger"),
    vouchers.RedeemVoucher: _to("ledger"),
    vouchers.ExpireVoucher: _to("ledger"),
    checkouts.AuthorisePoints: _to("ledger"),
    checkouts.CapturePoints: _to("ledger"),
    checkouts.VoidAuthorisation: _to("ledger"),
    checkouts.ExpireAuthorisation: _to("ledger"),
    checkouts.RefundCapture: _to("ledger"),
    shop_orders.ConfirmCheckout: _to("checkout"),
    offers.ApplyForParty: _to("goods"),
    offers.PostOffer: _to("goods"),
    offers.DecideOffer: _to("goods"),
    offers.ReferBusiness: _to("goods"),
    offers.ScreenBusiness: _to("goods"),
    offers.ConsentToBusiness: _to("goods"),
    offers.OpenBusiness: _to("goods"),
    merges.SendMerge: _to("ledger"),
    merges.AcknowledgeMerge: _to("ledger"),
    merges.ReturnMerge: _to("ledger"),
    municipalities.RegisterScheme: _to("registry"),
    municipalities.RegisterSupportEvent: _to("registry"),
    parties.RegisterParty: _to("registry"),
    parties.RegisterPartyKey: _to("registry"),
    parties.EndPartyKey: _to("registry"),
    parties.LimitParty: _to("registry"),
    citizens.OfferMyKeyId: _to("registry"),
    citizens.CheckMyKeyId: _to("registry"),
    citizens.RegisterCitizen: _to("registry"),
    citizens.ChangeMailChoices: _to("registry"),
    citizens.EndMailChoice: _to("registry"),
    citizens.ChooseBaseMunicipality: _to("registry"),
    citizens.LinkCitizen: _to("registry"),
    links.PresentParty: _to("registry"),
    links.UnlinkCitizen: _to("registry"),
    id_links.LinkAccount: _to("registry"),
    id_links.SetUpLinkage: _to("partner"),
    id_links.BeginLinking: _to("partner"),
    id_links.TakeProof: _to("partner"),
    id_links.ConfirmLinking: _to("partner"),
    id_links.RevokeTokens: _outside("partner"),
    webhooks.SendWebhook: _outside("partner", "webhooks"),
    webhooks.ReplayWebhooks: _to("partner"),
    cards.ProveCard: _to("registry"),
    cards.ChooseAddressNotice: _to("registry"),
    mykey_ids.CreateMyKeyId: _to("registry"),
    mykey_ids.ChangeMyKeyId: _to("registry"),
    mykey_ids.RevokeMyKeyId: _to("registry"),
    logins.LogIn: _to("registry"),
    logins.LogInByCard: _to("registry"),
    logins.Confirm: _to("registry"),
    logins.UseSession: _to("registry"),
    logins.EndSessions: _to("registry"),
    logins.ChangePassword: _to("registry"),
    logins.ChangeMailAddress: _to("registry"),
    service_ids.RegisterIssuer: _to("registry"),
    service_ids.RegisterServiceId: _to("registry"),
    service_ids.RemoveServiceId: _to("registry"),
    libraries.RegisterLibrarySite: _to("library"),
    libraries.ConfirmServiceId: _outside("library"),
    terminals.FileTerminalPlan: _to("registry"),
    places.RegisterPlace: _to("registry"),
    terminals.IssueTerminals: _to("registry"),
    terminals.RenewPassword: _to("registry"),
    terminals.EnrolTerminal: _to("registry"),
    terminals.SuspendTerminal: _to("registry"),
    terminals.ResumeTerminal: _to("registry"),
    partner_files.WorkTransferFile: _outside("partner"),
    card_jobs.ReadCard: _to("terminal"),
    card_jobs.ReadNumber: _to("terminal"),
    card_jobs.HandNumberOn: _to("terminal"),
    card_jobs.ReleaseCard: _to("terminal"),
    card_jobs.DropMergeFiles: _to("terminal"),
    acts.RecordAct: _to("operations"),
    streets.RegisterStreet: _to("street"),
    streets.RegisterMergeKey: _to("street"),
    streets.EndMergeKey: _to("street"),
    streets.RegisterStreetSigner: _to("street"),
    streets.EndStreetSigner: _to("street"),
    streets.StartMerge: _to("street"),
    streets.ReadStreetCard: _to("street"),
    streets.DeliverMerge: _outside("street"),
    streets.RedeliverMerge: _to("street"),
    streets.GiveMergeBack: _to("street"),
    streets.AnswerMerge: _to("street"),
    notices.SendNotice: _outside("mail"),
    merges.SendOverdueMail: _outside("mail"),
    notices.SendCheckpoint: _outside("mail"),
    notices.SendAccountNotice: _outside("mail"),
    notices.SendOfficeMail: _outside("mail"),
    outages.SendOutageMail: _outside("mail"),
    # queries: exactly one answers
    points.BalanceOf: _to("ledger"),
    points.OutcomesOf: _to("ledger"),
    points.UsableAtOf: _to("ledger"),
    points.DueLotsOf: _to("ledger"),
    points.HeldByPool: _to("ledger"),
    points.HeldIn: _to("ledger"),
    history.HistoryOf: _to("ledger"),
    history.BalanceAsOf: _to("ledger"),
    history.ProvenanceOf: _to("ledger"),
    corrections.OriginalOf: _to("ledger"),
    shop_orders.CheckoutOf: _to("checkout"),
    offers.OffersOf: _to("goods"),
    offers.UsablePoolsOf: _to("goods"),
    offers.ReferralsOf: _to("goods"),
    holds.HoldOf: _to("ledger"),
    holds.DueHoldsOf: _to("ledger"),
    merges.OpenMergesOf: _to("ledger"),
    vouchers.VoucherOfNumber: _to("ledger"),
    vouchers.VoucherPaperOf: _to("ledger"),
    audit.FollowChain: _to("ledger"),
    audit.VerifyLedger: _to("ledger"),
    settlement.PartnerSummaryOf: _to("ledger"),
    settlement.MunicipalSummaryOf: _to("ledger"),
    settlement.StoreSummaryOf: _to("ledger"),
    settlement.PlaceSummaryOf: _to("ledger"),
    settlement.DetailsOf: _to("ledger"),
    grants.CouponOf: _to("ledger"),
    grants.CouponReportOf: _to("ledger"),
    municipalities.SchemesOf: _to("registry"),
    municipalities.MunicipalOfficesOf: _to("registry"),
    municipalities.SupportEventsOf: _to("registry"),
    municipalities.PrefecturesOf: _to("registry"),
    municipalities.PoolNamesOf: _to("registry"),
    places.PlacesOf: _to("registry"),
    links.PartiesOf: _to("registry"),
    links.LogoOf: _to("registry"),
    links.LinksOf: _to("registry"),
    id_links.LinkIdsOf: _to("registry"),
    parties.PartyKeyOf: _to("registry"),
    parties.PartyKeysOf: _to("registry"),
    parties.PartyLimitsOf: _to("registry"),
    citizens.LinkedCitizensOf: _to("registry"),
    citizens.BaseMunicipalitiesOf: _to("registry"),
    citizens.CitizenBehind: _to("registry"),
    citizens.ProfileOf: _to("registry"),
    notices.MailAddressStateOf: _to("mail"),
    logins.SessionOf: _to("registry"),
    service_ids.IssuersOf: _to("registry"),
    service_ids.ServiceIdsOf: _to("registry"),
    service_ids.ServiceIdOf: _to("registry"),
    service_ids.CitizenBehindServiceId: _to("registry"),
    service_ids.LinkedCloseTogether: _to("registry"),
    libraries.PatronKnown: _to("library"),
    libraries.LibrarySitesOf: _to("library"),
    connections.LibraryReached: _to("library"),
    terminals.TerminalPlanOf: _to("registry"),
    terminals.TerminalPasswordOf: _to("registry"),
    terminals.AgentKeyOf: _to("registry"),
    terminals.TerminalsOf: _to("registry"),
    clockwork.ClockworkDoneOf: _to("clockwork"),
    connections.MailServerReached: _to("mail"),
    connections.PartnerReached: _to("partner"),
    webhooks.WebhooksOf: _to("partner"),
    connections.ShopReached: _to("checkout"),
    card_jobs.PresenceOf: _to("terminal"),
    streets.StreetOf: _to("street"),
    streets.StreetsOf: _to("street"),
    streets.MergesOf: _to("street"),
    # events: whoever wants to know
    card_jobs.CardRemoved: _to("terminal"),
    card_jobs.MergeFilesAnswered: _to("street"),
    points.PointsCredited: _to("mail"),
    points.PointsMoved: _to("mail"),
    points.PointsUsed: _to(),
    points.PointsExpired: _to("mail"),
    corrections.PostingCorrected: _to(),
    corrections.CitizenRevoked: _to(),
    grants.PointsGranted: _to("mail"),
    vouchers.VoucherIssued: _to(),
    vouchers.VoucherRedeemed: _to(),
    checkouts.PointsAuthorised: _to(),
    checkouts.PointsCaptured: _to("checkout"),
    checkouts.AuthorisationReleased: _to("checkout"),
    checkouts.PointsRefunded: _to(),
    shop_orders.OrderExpired: _to("partner"),
    merges.MergeSent: _to("street"),
    merges.MergeAcknowledged: _to("street"),
    merges.MergeReturned: _to("street"),
    merges.MergeOverdue: _to("street", "mail"),
    municipalities.SchemeRegistered: _to("ledger", "mail"),
    municipalities.SupportEventRegistered: _to("ledger", "mail", "goods"),
    parties.PartyRegistered: _to("goods"),
    offers.ApprovalAsked: _to("mail"),
    offers.OfferDecided: _to("partner"),
    offers.ScreeningPassed: _to("mail"),
    citizens.CitizenRegistered: _to("mail"),
    citizens.MailChoicesChanged: _to("mail"),
    citizens.BaseMunicipalityChosen: _to(),
    citizens.CitizenLinked: _to("partner"),
    links.CitizenUnlinked: _to("partner"),
    id_links.AccountLinked: _to("mail"),
    cards.CardRenewed: _to(),
    mykey_ids.MyKeyIdCreated: _to("mail"),
    mykey_ids.MyKeyIdChanged: _to("mail"),
    mykey_ids.MyKeyIdRevoked: _to("mail"),
    mykey_ids.PasswordChanged: _to("mail"),
    mykey_ids.MailAddressChanged: _to("mail"),
    service_ids.ServiceIdRegistered: _to(),
    service_ids.ServiceIdRemoved: _to(),
    service_ids.ServiceIdConfirmed: _to("registry"),
    service_ids.ServiceIdDoubted: _to("registry"),
    terminals.TerminalEnrolled: _to(),
    terminals.TerminalSuspended: _to("terminal"),
    terminals.TerminalResumed: _to(),
    audit.CheckpointSigned: _to("mail"),
    outages.OutageBegan: _to("mail"),
    outages.OutageEnded: _to("mail"),
    notices.PointsMovingSoon: _to("mail"),
    notices.PointsExpiringSoon: _to("mail"),
    partner_files.TransferFileFinished: _to("partner"),
}


DELIVERED_TO: Final = {message_type: route.delivered_to() for message_type, route in ROUTES.items()}
"""Message type → the receivers of its deliveries."""


def outside_lanes(component: Component) -> list[str]:
    """The receivers of what the component does outside, by name."""
    found = {ROUTES[message_type].outside for message_type in component.outside if message_type in ROUTES}
    return sorted(f"{component.name}.{lanes}" for lanes in found if lanes)


def receiver_of_call(message_type: type[Message]) -> str:
    """The one component that answers this type. Raises UnroutableError."""
    route = ROUTES.get(message_type)
    if route is None or len(route.receivers) != 1:
        raise UnroutableError(message_type.__name__)
    return route.receivers[0]


class RouteTableError(PermanentError):
    """The route table and the components do not fit; the hub does not start. Mend hub/routes.py or the component."""


def check(components: Iterable[Component]) -> None:
    """Every type has a route, every command and query one receiver, and every receiver handles what it is sent.

    Only the components given are looked at, so that a process with some of them checks its own.
    """
    faults = [f"{name} has no route" for name, known in CATALOG.items() if known not in ROUTES]
    by_name = {component.name: component for component in components}
    for message_type, route in ROUTES.items():
        if issubclass(message_type, Command | Query) and len(route.receivers) != 1:
            faults.append(f"{message_type.__name__} must have exactly one receiver")
        faults.extend(
            f"{receiver} is sent {message_type.__name__}, which it does not handle"
            for receiver in route.receivers
            if receiver in by_name and not _takes(by_name[receiver], message_type, route)
        )
    for component in by_name.values():
        faults.extend(
            f"{component.name} handles {message_type.__name__}, which nobody routes to it"
            for message_type in (
                *component.handlers,
                *component.answers,
                *component.apart,
                *component.connection_tests,
                *component.outside,
            )
            if message_type not in ROUTES or component.name not in ROUTES[message_type].receivers
        )
    if faults:
        raise RouteTableError("; ".join(faults))


def _takes(component: Component, message_type: type[Message], route: Route) -> bool:
    if route.outside:
        return message_type in component.outside
    asked = (component.answers, component.apart, component.connection_tests)
    return any(message_type in taken for taken in (component.handlers, *asked))


def lines() -> list[str]:
    """The table as text, one line a message type."""
    return [
        f"{kind_of(said):8} {said.__name__:26} {said.TYPE:48} → {', '.join(route.receivers) or '—'}"
        for said, route in ROUTES.items()
    ]


def kind_of(message_type: type[Message]) -> str:
    """`command`, `query` or `event`."""
    return next(kind.__name__.lower() for kind in (Command, Query, Event) if issubclass(message_type, kind))
