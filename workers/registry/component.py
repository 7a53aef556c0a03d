"""The registry as a component: which file handles which message."""

from hub.component import Component, Context
from hub.keys import Keys
from schemas.citizens import (
    BaseMunicipalitiesOf,
    ChangeMailChoices,
    CheckMyKeyId,
    ChooseBaseMunicipality,
    CitizenBehind,
    LinkCitizen,
    LinkedCitizensOf,
    OfferMyKeyId,
    ProfileOf,
    RegisterCitizen,
)
from schemas.municipalities import RegisterScheme, RegisterSupportEvent, SchemesOf
from schemas.parties import PartyKeyOf, RegisterParty, RegisterPartyKey
from workers.registry import links, municipalities, parties
from workers.registry.citizens import Citizens, base_municipalities_of, change_mail_choices, choose_bases
from workers.registry.enrolments import Enrolments
from workers.registry.parties import PartyKeys


def component(context: Context) -> Component:
    """Builds the registry; its keys come from the installation's secret."""
    keys = Keys(context.settings.key())
    citizens = Citizens(keys)
    enrolments = Enrolments(keys)
    party_keys = PartyKeys(keys)
    return Component(
        name="registry",
        handlers={
            RegisterScheme: municipalities.register_schemes,
            RegisterSupportEvent: municipalities.register_support_events,
            RegisterParty: parties.register_parties,
            RegisterPartyKey: party_keys.register,
            OfferMyKeyId: enrolments.offer,
            CheckMyKeyId: enrolments.check,
            RegisterCitizen: citizens.register,
            ChangeMailChoices: change_mail_choices,
            ChooseBaseMunicipality: choose_bases,
            LinkCitizen: links.link_citizens,
        },
        answers={
            SchemesOf: municipalities.schemes_of,
            PartyKeyOf: party_keys.of,
            CitizenBehind: citizens.behind,
            ProfileOf: citizens.profile_of,
            BaseMunicipalitiesOf: base_municipalities_of,
            LinkedCitizensOf: links.linked_citizens_of,
        },
    )
