"""The pictures in docs/screens.md: a few of those that a walk took, made small."""

from base64 import b64encode
from pathlib import Path
from typing import Final

from tests.journeys.browser.browsing import PICTURES, chromium

DOCS: Final = Path(__file__).parents[3] / "docs" / "screens"
WIDE: Final = (
    "front",
    "create-id-offered",
    "home",
    "municipal-confirm",
    "municipal-done",
    "history-reserve",
    "services",
    "revoke-confirm",
)
NARROW: Final = ("home", "log-in-faults", "history-municipal-one")
WIDE_PX, NARROW_PX, HEIGHT_LIMIT_PX = 560, 240, 720


def picture_docs() -> None:
    """Write them anew."""
    DOCS.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        page = browser.new_page()
        for folder, names, width, ending in (
            ("1280", WIDE, WIDE_PX, ""),
            ("390-no-script", NARROW, NARROW_PX, "-phone"),
        ):
            for name in names:
                page.set_viewport_size({"width": width, "height": HEIGHT_LIMIT_PX})
                picture = b64encode((PICTURES / folder / f"{name}.png").read_bytes()).decode("ascii")
                page.set_content(
                    f"<style>* {{ margin: 0 }} img {{ display: block; width: 100% }}</style>"
                    f'<img src="data:image/png;base64,{picture}">'
                )
                page.locator("img").evaluate("one => one.decode()")
                height = min(HEIGHT_LIMIT_PX, int(page.locator("img").evaluate("one => one.clientHeight")))
                page.set_viewport_size({"width": width, "height": height})
                page.screenshot(path=str(DOCS / f"{name}{ending}.png"))
