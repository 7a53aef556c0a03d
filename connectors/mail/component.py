"""The mail connector, put together. Its entry point is `mail`."""

from typing import Final

from connectors.mail.accounts import AccountMails
from connectors.mail.checkpoints import CheckpointMails
from connectors.mail.domains import DomainLimits
from connectors.mail.letters import Letters
from connectors.mail.notices import KIND_OF, send_notices
from connectors.mail.offices import OfficeMails
from connectors.mail.outages import OutageMails
from connectors.mail.overdue import OverdueMails
from connectors.mail.pages import UnsubscribePages
from connectors.mail.plain import PlainMails
from connectors.mail.reaching import Reaching
from connectors.mail.recipients import Recipients, address_state_of, schemes_registered, support_events_registered
from connectors.mail.refusals import Verdicts
from connectors.mail.sending import FORGET_EVERY_S, Forgetting, Sending
from connectors.mail.signing import Signer
from connectors.mail.smtp import MAIL_SERVER, Server, SmtpPool, try_limit_s
from connectors.mail.unsubscribing import Unsubscribing
from hub.component import Component, Context, Handler, Job
from hub.keys import Keys
from hub.loopback import is_loopback
from hub.settings import Settings
from schemas.audit import CheckpointSigned
from schemas.citizens import CitizenRegistered, MailChoicesChanged
from schemas.connections import MailServerReached
from schemas.merges import MergeOverdue, SendOverdueMail
from schemas.message import Message
from schemas.municipalities import SchemeRegistered, SupportEventRegistered
from schemas.notices import MailAddressStateOf, SendAccountNotice, SendCheckpoint, SendNotice, SendOfficeMail
from schemas.offers import ApprovalAsked, ScreeningPassed
from schemas.outages import OutageBegan, OutageEnded, SendOutageMail

NOTICES_AT_ONCE_LIMIT: Final = 8
"""Per lane: more than the connections need, so that they never wait for a look-up or a record."""


def component(context: Context) -> Component:
    """Build it from the hub's settings; connects to nothing yet.

    Raises:
        SigningKeyError: there is a DKIM key, but not one to sign with.
    """
    settings = context.settings
    keys = Keys(settings.key())
    sealer = keys.sealer("mail")
    unsubscribing = Unsubscribing(keys.hasher("mail.unsubscribe"), settings.own_url)
    smtp = SmtpPool(server(settings), settings.smtp_connections, context.clock)
    sign = signer(settings)
    domains = DomainLimits(context.clock, settings.mail_per_domain_s, settings.mail_domain_rates)
    verdicts = Verdicts(context.clock)
    sending = Sending(
        context.database,
        context.clock,
        sealer,
        Letters(settings.mail_from, settings.mail_from_name, unsubscribing, sign),
        smtp,
        settings.mail_from,
        domains,
        verdicts,
    )
    mails = PlainMails(settings, smtp, sign, context.clock)
    checkpoints = CheckpointMails(settings, mails)
    outages = OutageMails(settings, mails)
    offices = OfficeMails(mails, settings.own_url)
    overdue = OverdueMails(settings, mails)
    recipients = Recipients(sealer)
    accounts = AccountMails(recipients, mails, context.database, domains, verdicts)
    pages = UnsubscribePages(unsubscribing, context.bus)
    return Component(
        "mail",
        handlers=_handlers(recipients)
        | accounts.handlers()
        | {
            CheckpointSigned: checkpoints.signed,
            OutageBegan: outages.began,
            OutageEnded: outages.ended,
            ApprovalAsked: offices.asked,
            ScreeningPassed: offices.passed,
            MergeOverdue: overdue.overdue,
        },
        outside={
            SendNotice: sending,
            SendCheckpoint: checkpoints.send,
            SendOutageMail: outages.send,
            SendOverdueMail: overdue.send,
            SendAccountNotice: accounts.send,
            SendOfficeMail: offices.send,
        },
        answers={MailAddressStateOf: address_state_of},
        destination_of=lambda _message: MAIL_SERVER,
        connection_tests={MailServerReached: Reaching(server(settings))},
        outside_limit=NOTICES_AT_ONCE_LIMIT,
        outside_try_limit_s=try_limit_s(server(settings)),
        routes=pages.routes(),
        jobs=[Job("forget_notices", FORGET_EVERY_S, Forgetting(context.database))],
        stopping=domains.stop,
        close=smtp.close,
    )


def server(settings: Settings) -> Server:
    """The mail server of the settings."""
    security = settings.smtp_security
    if security == "auto":
        security = "none" if is_loopback(settings.smtp_host) else "starttls"
    password = settings.smtp_password
    return Server(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=security,
        local_hostname=settings.mail_from.rpartition("@")[2],
        timeout_s=settings.smtp_timeout_s,
        user=settings.smtp_user,
        password=None if password is None else password.get_secret_value() or None,
    )


def signer(settings: Settings) -> Signer | None:
    """What signs mails, where there is a key. Raises SigningKeyError."""
    if settings.dkim_key_file is None:
        return None
    return Signer(settings.mail_from.rpartition("@")[2], settings.dkim_selector, settings.dkim_key_file)


def _handlers(recipients: Recipients) -> dict[type[Message], Handler]:
    # One handler for all that is noticed, so that a run of different events costs one look-up.
    noticed: dict[type[Message], Handler] = dict.fromkeys(KIND_OF, send_notices)
    return noticed | {
        CitizenRegistered: recipients.registered,
        MailChoicesChanged: recipients.choices_changed,
        SchemeRegistered: schemes_registered,
        SupportEventRegistered: support_events_registered,
    }
