"""Somebody makes a MyKey ID as anybody does, by the card and its PIN (mission I.6)."""

from typing import Final, NamedTuple
from uuid import UUID, uuid4

from demo.peers import PeerFailedError
from demo.stage import CALL_DEADLINE_S, Stage
from demo.terminals import proof_of
from demo.world import made_up_id
from schemas.citizens import CheckMyKeyId, MailChoices
from schemas.mykey_ids import CreateMyKeyId

CHOICES: Final = MailChoices(on_grant=True, on_expiry=True, on_password_change=True, on_mykey_id_change=True)


class Newcomer(NamedTuple):
    """Who it is going to be."""

    mykey_id: str
    password: str
    name: str
    mail: str
    lg_code: str


async def made(stage: Stage, who: Newcomer, terminal_id: str) -> UUID:
    """The citizen's id; the card is the one in that terminal. Raises PeerFailedError."""
    bus = stage.process.bus
    citizen_id, enrolment_id = made_up_id("citizen", who.mykey_id), uuid4()
    await bus.call(CheckMyKeyId(enrolment_id=enrolment_id, mykey_id=who.mykey_id), CALL_DEADLINE_S)
    proof = await proof_of(bus, terminal_id, "create-mykey-id")
    proven = await bus.call(proof, CALL_DEADLINE_S)
    creation = CreateMyKeyId(
        citizen_id=citizen_id,
        proof_id=proof.proof.job_id,
        enrolment_id=enrolment_id,
        mykey_id=who.mykey_id,
        name=who.name,
        mail=who.mail,
        password=who.password,
        base_lg_code=who.lg_code,
        choices=CHOICES,
    )
    code = proven.code or (await bus.call(creation, CALL_DEADLINE_S)).code
    stage.check(f"{who.mykey_id} is made", code, None)
    if code is not None:
        raise PeerFailedError(f"{who.mykey_id}: {code}")
    return citizen_id
