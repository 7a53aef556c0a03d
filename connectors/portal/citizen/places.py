"""Prefecture, then municipality: the pull-downs by which a base municipality is chosen (画面16, 61).

Only municipalities with a scheme, and prefectures that have such a one, are there to be chosen.
"""

import asyncio
from typing import Annotated, Final

from connectors.portal.ground.forms import Form, Input, Option
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Kit
from schemas.municipalities import PrefecturesOf, Scheme, SchemesOf
from schemas.values import lg_check_digit

DEADLINE_S: Final = 5.0


class PrefectureForm(Form):
    """Where to look for a municipality."""

    prefecture: Annotated[str, Input("都道府県", kind="select", autocomplete="address-level1")]


async def prefectures(kit: Kit) -> dict[str, list[Option]]:
    """The choices of a PrefectureForm."""
    found = await kit.bus.call(PrefecturesOf(day=kit.clock.business_date()), DEADLINE_S)
    options = [Option(one.lg_code, one.name) for one in found.prefectures if one.schemes]
    return {"prefecture": [Option("", _("選択してください")), *options]}


async def municipalities(kit: Kit, prefecture: str) -> list[Option]:
    """Those of one prefecture, to choose a base municipality from."""
    schemes = await _schemes(kit, prefecture)
    return [
        Option("", _("選択してください")),
        *(Option(one.lg_code, one.municipality, one.point_name) for one in schemes),
    ]


async def name_of(kit: Kit, lg_code: str) -> str:
    """`愛知県北名古屋市`; empty for one without a scheme."""
    prefecture = prefecture_of(lg_code)
    schemes, found = await asyncio.gather(
        _schemes(kit, prefecture), kit.bus.call(PrefecturesOf(day=kit.clock.business_date()), DEADLINE_S)
    )
    names = {one.lg_code: one.name for one in found.prefectures}
    municipality = next((one.municipality for one in schemes if one.lg_code == lg_code), "")
    return f"{names.get(prefecture, '')}{municipality}" if municipality else ""


def prefecture_of(lg_code: str) -> str:
    """The code of the prefecture in which a municipality lies."""
    five = f"{lg_code[:2]}000"
    return five + lg_check_digit(five)


async def _schemes(kit: Kit, prefecture: str) -> list[Scheme]:
    return (await kit.bus.call(SchemesOf(prefecture=prefecture), DEADLINE_S)).schemes
