"""How a scheme's or an event's own terms are told to a person."""

from datetime import date

from connectors.portal.ground.language import _
from connectors.portal.ground.rendering import day
from hub.clock import expiry_after_months
from schemas.municipalities import Scheme, SupportEvent


def scheme_expiry(scheme: Scheme, today: date) -> str:
    """The last day of points that come in today (schemas.values.ExpiryRule)."""
    kind, _sep, value = scheme.expiry_rule.partition(":")
    if kind == "months":
        return day(expiry_after_months(today, int(value)))
    if kind == "date":
        return day(date.fromisoformat(value))
    return _("なし")


def service_period(event: SupportEvent) -> str:
    """From when to when an event's points can be used."""
    return _("%(first)sから%(last)sまで") % {"first": day(event.first), "last": day(event.last)}
