"""The world opens: municipalities register schemes, the airline is taken in, citizens register and link."""

from demo.stage import CALL_DEADLINE_S, Stage
from schemas.citizens import LinkCitizen, MailChoices, RegisterCitizen
from schemas.municipalities import RegisterScheme
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey


async def play(stage: Stage) -> None:
    """Everything by messages, as the portal will say them."""
    bus, world = stage.process.bus, stage.world
    schemes = await bus.call_many(
        [RegisterScheme(lg_code=s.lg_code, point_name=s.point_name, expiry_rule=s.expiry_rule) for s in world.schemes],
        CALL_DEADLINE_S,
    )
    await bus.call(RegisterParty(party_id=world.partner_id, kind=PartyKind.partner, name="航空会社"), CALL_DEADLINE_S)
    key = RegisterPartyKey(
        party_id=world.partner_id,
        key_id=stage.key.key_id,
        algorithm=KeyAlgorithm.ed25519,
        key_bytes=stage.key.public_bytes,
    )
    keys = await bus.call(key, CALL_DEADLINE_S)
    citizens = await bus.call_many(
        [
            RegisterCitizen(
                citizen_id=c.citizen_id,
                mykey_id=c.mykey_id,
                name=c.name,
                mail=c.mail,
                base_lg_code=c.base_lg_code,
                choices=MailChoices(
                    on_grant=c.wants_mail,
                    on_expiry=c.wants_mail,
                    on_password_change=c.wants_mail,
                    on_mykey_id_change=c.wants_mail,
                ),
            )
            for c in world.citizens
        ],
        CALL_DEADLINE_S,
    )
    links = await bus.call_many(
        [LinkCitizen(citizen_id=c.citizen_id, party_id=world.partner_id, link_id=c.link_id) for c in world.citizens],
        CALL_DEADLINE_S,
    )
    refused = [answer.code for answer in (*schemes, keys, *citizens, *links) if answer.code is not None]
    stage.check("everybody is registered", refused, [])
    await stage.drained()
    stage.say(f"{len(schemes)} schemes, {len(citizens):,} citizens, one airline")
