"""Pages from templates: one jinja2 environment for all audiences, everything escaped, every missing name an error.

Templates are found by their path under `connectors/portal` (`citizen/home.html`), the shared ones by their name
(`frame.html`, `parts.html`). The macros of govuk-frontend ask their parameters for much that nobody gave: a key missing
in a dictionary is empty for them, while a name or an attribute that is missing in our own pages raises.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import (
    ChainableUndefined,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    Undefined,
    UndefinedError,
)

from connectors.portal.ground import charts
from connectors.portal.ground.frame import JAPANESE, Frame
from connectors.portal.ground.language import LANGUAGE, gettext
from connectors.portal.ground.look import Look
from hub.clock import JAPAN
from schemas.values import NO_EXPIRY

PORTAL: Final = Path(__file__).parents[1]
GOVUK: Final = "govuk_frontend_jinja"

Translate = Callable[[str], str]
TranslatePlural = Callable[[str, str, int], str]


class Screens:
    """Writes pages. One for the process; `render` is pure and takes 1 to 3 ms."""

    def __init__(
        self,
        look: Look,
        gettext: Translate = lambda text: text,
        ngettext: TranslatePlural = lambda one, many, count: one if count == 1 else many,
    ) -> None:
        """`gettext` and `ngettext` give the words of the language that is being spoken; without them it is Japanese."""
        self._environment = _PageEnvironment(
            loader=_loader(),
            autoescape=True,
            undefined=_PageUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        self._environment.globals.update(
            asset=look.url, undefined=ChainableUndefined(), null=ChainableUndefined(), chart=charts
        )
        self._environment.filters.update(FILTERS)
        # What jinja2.ext.i18n adds to its environment is unknown to the type checker.
        install: Any = vars(self._environment)["install_gettext_callables"]
        install(gettext, ngettext, newstyle=True)

    def render(self, name: str, frame: Frame, **values: object) -> str:
        """The page `name` in its frame.

        Raises:
            jinja2.TemplateNotFound: there is no such page.
            jinja2.UndefinedError: a value that the page asks for was not given.
        """
        return self._environment.get_template(name).render(frame=frame, **values)


def _asks_for_block(missing: StrictUndefined) -> bool:
    """There is none; only a macro may ask, whether it was called with a block."""
    if missing._undefined_name != "caller":  # noqa: SLF001 - jinja2 documents it for subclasses
        raise UndefinedError(missing._undefined_message)  # noqa: SLF001 - the same
    return False


# Made by hand, because jinja2 declares that asking a StrictUndefined never returns.
_PageUndefined: Final = type("_PageUndefined", (StrictUndefined,), {"__slots__": (), "__bool__": _asks_for_block})


class _PageEnvironment(Environment):
    """Strict about names and attributes, easy about keys of dictionaries."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - jinja2's own signature
        return _easy(obj, super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - the same
        return _easy(obj, super().getitem(obj, argument))


def _easy(obj: object, found: object) -> object:
    lenient = isinstance(found, Undefined) and isinstance(obj, Mapping | ChainableUndefined)
    return ChainableUndefined() if lenient else found


def _loader() -> ChoiceLoader:
    return ChoiceLoader(
        [
            FileSystemLoader(PORTAL / "ground" / "templates"),
            FileSystemLoader(PORTAL),
            PrefixLoader({GOVUK: PackageLoader(GOVUK)}),
        ]
    )


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def number(value: int) -> str:
    """`1234567` → `1,234,567`; below zero with the true minus sign."""
    return f"{value:,}".replace("-", "−")


def day(value: date | datetime | None) -> str:
    """`2017年11月1日` in Japan; that there is no end for the ledger's `NO_EXPIRY` and for None."""
    if value is None or value == NO_EXPIRY:
        return gettext("なし")
    shown = value.astimezone(JAPAN) if isinstance(value, datetime) else value
    if LANGUAGE.get() != JAPANESE:
        return f"{shown.day} {_MONTHS[shown.month - 1]} {shown.year}"
    return f"{shown.year}年{shown.month}月{shown.day}日"


def moment(value: datetime) -> str:
    """`2017年11月1日 9時05分` in Japan."""
    shown = value.astimezone(JAPAN)
    if LANGUAGE.get() != JAPANESE:
        return f"{day(value)}, {shown.hour}:{shown.minute:02}"
    return f"{day(value)} {shown.hour}時{shown.minute:02}分"


def iso(value: date | datetime) -> str:
    """For `<time datetime>`: `2017-11-01`, or with the time in Japan."""
    return value.astimezone(JAPAN).isoformat("T", "minutes") if isinstance(value, datetime) else value.isoformat()


FILTERS: Final[Mapping[str, Callable[..., str]]] = {"number": number, "day": day, "moment": moment, "iso": iso}
