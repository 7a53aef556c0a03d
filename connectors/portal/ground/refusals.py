"""What a worker decided against, as a person is told it."""

from connectors.portal.ground.language import LANGUAGE
from schemas.problems import REFUSALS, RefusalCode


def sentence(code: str | None) -> str:
    """What is wrong and what to do, in the language of the request. Raises ValueError for a code nobody knows."""
    text = REFUSALS[RefusalCode(code or "")]
    return text.detail if LANGUAGE.get() == "en" else text.detail_ja
