"""The registry as a component: which file handles which message."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from hub.component import Answerer, Component, Context, Handler, Job
from hub.keys import Keys
from schemas.cards import ChooseAddressNotice, ProveCard
from schemas.citizens import (
    BaseMunicipalitiesOf,
    ChangeMailChoices,
    CheckMyKeyId,
    ChooseBaseMunicipality,
    CitizenBehind,
    EndMailChoice,
    LinkCitizen,
    LinkedCitizensOf,
    OfferMyKeyId,
    ProfileOf,
    RegisterCitizen,
)
from schemas.id_links import LinkAccount, LinkIdsOf
from schemas.links import LinksOf, LogoOf, PartiesOf, PresentParty, UnlinkCitizen
from schemas.logins import (
    ChangeMailAddress,
    ChangePassword,
    Confirm,
    EndSessions,
    LogIn,
    LogInByCard,
    SessionOf,
    UseSession,
)
from schemas.message import Message, Query
from schemas.municipalities import (
    MunicipalOfficesOf,
    PoolNamesOf,
    PrefecturesOf,
    RegisterScheme,
    RegisterSupportEvent,
    SchemesOf,
    SupportEventsOf,
)
from schemas.mykey_ids import ChangeMyKeyId, CreateMyKeyId, RevokeMyKeyId
from schemas.parties import (
    EndPartyKey,
    LimitParty,
    PartyKeyOf,
    PartyKeysOf,
    PartyLimitsOf,
    RegisterParty,
    RegisterPartyKey,
)
from schemas.places import PlacesOf, RegisterPlace
from schemas.service_ids import (
    CitizenBehindServiceId,
    IssuersOf,
    LinkedCloseTogether,
    RegisterIssuer,
    RegisterServiceId,
    RemoveServiceId,
    ServiceIdConfirmed,
    ServiceIdDoubted,
    ServiceIdOf,
    ServiceIdsOf,
)
from schemas.terminals import (
    AgentKeyOf,
    EnrolTerminal,
    FileTerminalPlan,
    IssueTerminals,
    RenewPassword,
    ResumeTerminal,
    SuspendTerminal,
    TerminalPasswordOf,
    TerminalPlanOf,
    TerminalsOf,
)
from workers.registry import issuers, links, municipalities, parties, party_pages, places, plans, terminals
from workers.registry.account_links import AccountLinks
from workers.registry.accounts import Accounts
from workers.registry.cards import Cards, ForgettingCards
from workers.registry.certificates import Anchors
from workers.registry.citizens import (
    Citizens,
    base_municipalities_of,
    change_mail_choices,
    choose_bases,
    end_mail_choices,
)
from workers.registry.enrolments import Enrolments
from workers.registry.lifetimes import Lifetimes
from workers.registry.linked_close import linked_close_together
from workers.registry.logins import Logins
from workers.registry.offices import OfficeBook
from workers.registry.parties import PartyKeys
from workers.registry.service_ids import ServiceIdentities, service_ids_checked
from workers.registry.sessions import ForgettingLogins, Sessions
from workers.registry.succession import provider_of
from workers.registry.terminals import TerminalBook

FORGET_EVERY_S: Final = 900.0

Handlers: TypeAlias = Mapping[type[Message], Handler]


class Parts:
    """The registry's parts that have keys, or a database of their own; the rest are functions. Raises AnchorsError."""

    def __init__(self, context: Context) -> None:
        settings, database = context.settings, context.database
        keys = Keys(settings.key())
        anchors, provider = Anchors.read(settings.card_anchors), provider_of(settings.card_register)
        self.citizens = Citizens(keys)
        self.enrolments = Enrolments(keys)
        self.party_keys = PartyKeys(keys)
        self.cards = Cards(keys, anchors, provider, database, context.clock)
        self.sessions = Sessions(keys)
        self.account_links = AccountLinks(keys, self.sessions)
        accounts = Accounts(keys, database)
        self.logins = Logins(keys, database, accounts, self.sessions)
        self.lifetimes = Lifetimes(keys, database, self.citizens, accounts, self.sessions)
        self.service_ids = ServiceIdentities(keys)
        self.terminals = TerminalBook(keys)
        self.offices = OfficeBook(keys)


def component(context: Context) -> Component:
    """Builds the registry; its keys come from the installation's secret. Raises AnchorsError."""
    parts, database = Parts(context), context.database
    return Component(
        name="registry",
        handlers={
            RegisterScheme: parts.offices.register_schemes,
            RegisterSupportEvent: parts.offices.register_support_events,
            RegisterParty: parties.register_parties,
            RegisterPartyKey: parts.party_keys.register,
            EndPartyKey: parties.end_keys,
            LimitParty: parties.limit_parties,
            OfferMyKeyId: parts.enrolments.offer,
            CheckMyKeyId: parts.enrolments.check,
            RegisterCitizen: parts.citizens.register,
            ChangeMailChoices: change_mail_choices,
            EndMailChoice: end_mail_choices,
            ChooseBaseMunicipality: choose_bases,
            LinkCitizen: links.link_citizens,
            UnlinkCitizen: links.unlink_citizens,
            LinkAccount: parts.account_links.link,
            PresentParty: party_pages.present_parties,
            **_of_cards_and_logins(parts),
            **_of_service_ids(parts),
            **_of_terminals(parts),
        },
        apart={
            ProveCard: parts.cards.prove,
            CreateMyKeyId: parts.lifetimes.create,
            LogIn: parts.logins.log_in,
            Confirm: parts.logins.confirm,
            ChangePassword: parts.logins.change_password,
        },
        answers=_answers(parts),
        jobs=(
            Job("forget_cards", FORGET_EVERY_S, ForgettingCards(database)),
            Job("forget_logins", FORGET_EVERY_S, ForgettingLogins(database)),
        ),
    )


def _of_cards_and_logins(parts: Parts) -> Handlers:
    return {
        ChooseAddressNotice: parts.cards.choose_address_notices,
        ChangeMyKeyId: parts.lifetimes.change,
        RevokeMyKeyId: parts.lifetimes.revoke,
        LogInByCard: parts.logins.log_in_by_card,
        UseSession: parts.sessions.use,
        EndSessions: parts.sessions.end,
        ChangeMailAddress: parts.logins.change_mail_addresses,
    }


def _of_service_ids(parts: Parts) -> Handlers:
    return {
        RegisterIssuer: issuers.register_issuers,
        RegisterServiceId: parts.service_ids.register,
        RemoveServiceId: parts.service_ids.remove,
        ServiceIdConfirmed: service_ids_checked,
        ServiceIdDoubted: service_ids_checked,
    }


def _of_terminals(parts: Parts) -> Handlers:
    return {
        FileTerminalPlan: plans.file_plans,
        RegisterPlace: places.register_places,
        IssueTerminals: plans.Issuing().issue,
        RenewPassword: plans.renew_passwords,
        EnrolTerminal: parts.terminals.enrol,
        SuspendTerminal: terminals.suspend_terminals,
        ResumeTerminal: terminals.resume_terminals,
    }


def _answers(parts: Parts) -> Mapping[type[Query], Answerer]:
    return {
        SchemesOf: municipalities.schemes_of,
        PlacesOf: places.places_of,
        PoolNamesOf: municipalities.pool_names_of,
        MunicipalOfficesOf: parts.offices.of,
        SupportEventsOf: municipalities.support_events_of,
        PrefecturesOf: municipalities.prefectures_of,
        PartiesOf: party_pages.parties_of,
        LogoOf: party_pages.logo_of,
        LinksOf: links.links_of,
        LinkIdsOf: parts.account_links.link_ids_of,
        PartyKeyOf: parts.party_keys.of,
        PartyKeysOf: parts.party_keys.names_of,
        PartyLimitsOf: parties.limits_of,
        CitizenBehind: parts.citizens.behind,
        ProfileOf: parts.citizens.profile_of,
        BaseMunicipalitiesOf: base_municipalities_of,
        LinkedCitizensOf: links.linked_citizens_of,
        SessionOf: parts.sessions.of,
        IssuersOf: issuers.issuers_of,
        ServiceIdsOf: parts.service_ids.of_citizen,
        ServiceIdOf: parts.service_ids.at_issuer,
        CitizenBehindServiceId: parts.service_ids.citizen_behind,
        LinkedCloseTogether: linked_close_together,
        TerminalPlanOf: plans.plan_of,
        TerminalPasswordOf: terminals.password_of,
        AgentKeyOf: terminals.agent_key_of,
        TerminalsOf: parts.terminals.of,
    }
