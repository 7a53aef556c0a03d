"""People with cards: what they do at a terminal, one step each."""

from typing import Any
from uuid import UUID, uuid4

from hub.process import HubProcess
from schemas.cards import How, ProveCard, ProvenCard
from schemas.citizens import CheckMyKeyId, MailChoices
from schemas.logins import LoggedIn, LogIn
from schemas.mykey_ids import CreateMyKeyId
from tests.workers.registry.asking import ask
from tests.workers.registry.ca import Card
from tests.workers.registry.conftest import BASE

PASSWORD = "葉桜 quince 17 ぶらんこ"
HOME = "203.0.113.7"


async def proven(process: HubProcess, card: Card, purpose: str, how: How = "pin", **changes: Any) -> ProvenCard:  # noqa: ANN401 - a proof's fields
    """What the registry says to a card read for this."""
    return await ask(process, ProveCard(proof=card.prove(purpose, how, **changes)))


async def proof_of(process: HubProcess, card: Card, purpose: str, **changes: Any) -> UUID:  # noqa: ANN401 - the same
    """A proof that was accepted."""
    proof = card.prove(purpose, **changes)
    answer = await ask(process, ProveCard(proof=proof))
    assert answer.code is None, answer
    return proof.job_id


async def creation(
    process: HubProcess, card: Card, mykey_id: str, proof_id: UUID | None = None, **changes: object
) -> CreateMyKeyId:
    """All that is asked for a MyKey ID of one's own choice, up to the last button."""
    enrolment_id = uuid4()
    await ask(process, CheckMyKeyId(enrolment_id=enrolment_id, mykey_id=mykey_id))
    content: dict[str, object] = {
        "citizen_id": uuid4(),
        "proof_id": proof_id or await proof_of(process, card, "create-mykey-id"),
        "enrolment_id": enrolment_id,
        "mykey_id": mykey_id,
        "name": "氏名 一",
        "mail": "one@mail.example",
        "password": PASSWORD,
        "base_lg_code": BASE,
        "choices": MailChoices(on_password_change=True, on_mykey_id_change=True),
    }
    return CreateMyKeyId.model_validate(content | changes)


async def created(process: HubProcess, card: Card, mykey_id: str, **changes: Any) -> UUID:  # noqa: ANN401 - the same
    """A citizen who has made a MyKey ID with this card."""
    asked = await creation(process, card, mykey_id, **changes)
    answer = await ask(process, asked)
    assert answer.code is None, answer
    return asked.citizen_id


async def log_in(process: HubProcess, mykey_id: str, password: str = PASSWORD, **changes: object) -> LoggedIn:
    """What comes of a log-in."""
    asked: dict[str, object] = {"mykey_id": mykey_id, "password": password, "source": HOME}
    return await ask(process, LogIn.model_validate(asked | changes))


async def session_of(process: HubProcess, mykey_id: str) -> str:
    """A session that has begun."""
    answer = await log_in(process, mykey_id)
    assert answer.session is not None, answer
    return answer.session
