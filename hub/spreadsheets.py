"""Lists that people open in a spreadsheet: text stays text there, and does nothing."""

from typing import Final

BOM: Final = "\ufeff"
"""By it Excel knows UTF-8."""
_FORMULA_STARTS: Final = frozenset("=+-@\t\r＝＋－＠")  # full-width signs start a formula in Japanese Excel too


def safe_cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text[:1] in _FORMULA_STARTS else text
