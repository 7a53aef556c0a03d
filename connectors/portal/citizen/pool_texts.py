"""How a scheme's or an event's own terms are told to a person."""

from datetime import date

from connectors.portal.ground.language import _
from connectors.portal.ground.rendering import day
from schemas.municipalities import Scheme, SupportEvent


def scheme_expiry(scheme: Scheme) -> str:
    """When points that come in now have their last day (schemas.values.ExpiryRule)."""
    kind, _sep, value = scheme.expiry_rule.partition(":")
    if kind == "months":
        return _("移行した月の%(months)sか月後の月末") % {"months": value}
    if kind == "date":
        return day(date.fromisoformat(value))
    return _("なし")


def service_period(event: SupportEvent) -> str:
    """From when to when an event's points can be used."""
    return _("%(first)sから%(last)sまで") % {"first": day(event.first), "last": day(event.last)}
