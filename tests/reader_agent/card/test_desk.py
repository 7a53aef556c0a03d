"""Cards proven, refused, pulled and changed at the desk: each over cards in memory, and over PC/SC."""

import asyncio
import time
from collections.abc import Callable

import pytest

from schemas.uplink import Outcome, ReaderState
from tests.peers.card.authority import CardAuthority, Identity
from tests.peers.card.card import Card, FelicaCard, JpkiCard, PulledError, Quirks, SilentError
from tests.reader_agent.card.counter import Citizen, Counter, is_signed
from tests.waiting import quick_enough, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERIFY, SIGN, READ = b"\x00\x20", b"\x80\x2a", b"\x00\xb0"


@pytest.fixture(scope="module")
def taro(card_authority: CardAuthority) -> Identity:
    return card_authority.issue()


@pytest.fixture(scope="module")
def hanako(card_authority: CardAuthority) -> Identity:
    return card_authority.issue()


def on(instruction: bytes, error: type[Exception], times: int = 1) -> Callable[[bytes], None]:
    """Raise it at the first commands of that kind."""
    left = [times]

    def act(apdu: bytes) -> None:
        if apdu[:2] == instruction and left[0]:
            left[0] -= 1
            raise error

    return act


async def test_a_card_proves_itself(counter: Counter, taro: Identity) -> None:
    citizen = Citizen()
    insertion = await counter.insert(JpkiCard(taro))
    result = await counter.prove(citizen)
    assert result.outcome is Outcome.done
    assert result.certificate == taro.certificate
    assert is_signed(result)
    assert result.insertion == insertion
    assert citizen.asked == [3]
    assert result.signature_serial is None


async def test_a_card_put_in_after_the_job_was_made_is_waited_for(counter: Counter, taro: Identity) -> None:
    proving = asyncio.create_task(counter.prove(Citizen()))
    await asyncio.sleep(0)
    counter.reader.insert(JpkiCard(taro))
    # Over PC/SC the reader may see it too late for the short wait of the tests; what is told then is true as well.
    assert (await proving).outcome in ({Outcome.done} if not counter.is_real else {Outcome.done, Outcome.no_card})


async def test_the_card_signs_again_without_another_pin(counter: Counter, taro: Identity) -> None:
    citizen, card = Citizen(), JpkiCard(taro)
    insertion = await counter.insert(card)
    await counter.prove(citizen)
    second = await counter.prove(citizen, again=insertion)
    assert second.outcome is Outcome.done
    assert second.insertion == insertion
    assert second.certificate == taro.certificate
    assert is_signed(second)
    assert len(citizen.asked) == 1
    assert card.checks == 1


async def test_a_new_operation_needs_the_pin_again(counter: Counter, taro: Identity) -> None:
    citizen, card = Citizen(), JpkiCard(taro)
    await counter.insert(card)
    await counter.prove(citizen)
    assert (await counter.prove(citizen)).outcome is Outcome.done
    assert len(citizen.asked) == 2


@pytest.mark.parametrize("other", ["nothing", "the same", "another"])
async def test_a_card_that_was_out_does_not_sign_again(
    counter: Counter, taro: Identity, hanako: Identity, other: str
) -> None:
    card = JpkiCard(taro)
    insertion = await counter.insert(card)
    await counter.prove(Citizen())
    await counter.remove()
    put_in = {"nothing": None, "the same": card, "another": JpkiCard(hanako)}[other]
    if put_in is not None:
        await counter.insert(put_in)
    result = await counter.prove(Citizen(), again=insertion)
    assert result.outcome is Outcome.removed
    assert result.certificate is None
    assert result.signature is None


async def test_a_card_changed_in_a_moment_does_not_sign_again(
    counter: Counter, taro: Identity, hanako: Identity
) -> None:
    insertion = await counter.insert(JpkiCard(taro))
    await counter.prove(Citizen())
    other = JpkiCard(hanako)
    counter.reader.insert(other)
    result = await counter.prove(Citizen(), again=insertion)
    assert result.outcome is Outcome.removed
    assert result.certificate is None
    assert not other.commands.count(SIGN)
    await wait_until(lambda: counter.is_card_in)


async def test_a_released_card_has_forgotten_the_pin(counter: Counter, taro: Identity) -> None:
    card = JpkiCard(taro)
    insertion = await counter.insert(card)
    await counter.prove(Citizen())
    assert card.is_verified()
    await counter.desk.release()
    await wait_until(lambda: not card.is_verified())
    assert (await counter.prove(Citizen(), again=insertion)).outcome is Outcome.removed
    assert (await counter.prove(Citizen())).insertion == insertion


async def test_wrong_pins_until_it_is_blocked(counter: Counter, taro: Identity) -> None:
    citizen, card = Citizen(pin="9999"), JpkiCard(taro)
    await counter.insert(card)
    results = [await counter.prove(citizen) for _ in range(4)]
    assert [(each.outcome, each.tries_left) for each in results] == [
        (Outcome.wrong_pin, 2),
        (Outcome.wrong_pin, 1),
        (Outcome.blocked, 0),
        (Outcome.blocked, 0),
    ]
    assert citizen.asked == [3, 2, 1], "nobody is asked for the PIN of a blocked card"
    assert card.checks == 3, "no PIN is tried again by itself"
    assert not card.commands.count(SIGN)
    assert not card.is_verified()


async def test_the_other_word_for_blocked(counter: Counter, taro: Identity) -> None:
    card = JpkiCard(taro, quirks=Quirks(blocked_status=0x6983))
    card.block()
    await counter.insert(card)
    assert (await counter.prove(Citizen())).outcome is Outcome.blocked


async def test_no_card(counter: Counter) -> None:
    result = await counter.prove(Citizen())
    assert (result.outcome, result.insertion) == (Outcome.no_card, None)


@pytest.mark.parametrize("card", [Card(), FelicaCard()], ids=["blank", "felica"])
async def test_another_card_than_a_my_number_card(counter: Counter, card: Card) -> None:
    await counter.insert(card)
    result = await counter.prove(Citizen())
    assert result.outcome is Outcome.not_jpki
    assert result.certificate is None


@pytest.mark.parametrize("instruction", [READ, VERIFY, SIGN], ids=["reading", "counting tries", "signing"])
async def test_a_card_pulled_in_the_middle(counter: Counter, taro: Identity, instruction: bytes) -> None:
    await counter.insert(JpkiCard(taro, quirks=Quirks(on_command=on(instruction, PulledError))))
    result = await counter.prove(Citizen())
    assert result.outcome is Outcome.removed
    assert result.signature is None


async def test_a_card_pulled_while_the_pin_is_typed(counter: Counter, taro: Identity) -> None:
    async def told() -> float:
        await counter.insert(JpkiCard(taro))
        citizen = Citizen(waits=True)
        proving = asyncio.create_task(counter.prove(citizen))
        await wait_until(lambda: citizen.asked)
        began_s = time.monotonic()
        counter.reader.remove()
        result = await proving
        took_s = time.monotonic() - began_s
        assert result.outcome is Outcome.removed
        assert result.signature is None
        await wait_until(lambda: not counter.is_card_in)
        return took_s

    await quick_enough(1.0, told)


async def test_a_card_changed_while_the_pin_is_typed(counter: Counter, taro: Identity, hanako: Identity) -> None:
    await counter.insert(JpkiCard(taro))
    citizen, other = Citizen(waits=True), JpkiCard(hanako)
    proving = asyncio.create_task(counter.prove(citizen))
    await wait_until(lambda: citizen.asked)
    counter.reader.insert(other)
    assert (await proving).outcome is Outcome.removed
    assert not other.checks
    await wait_until(lambda: counter.is_card_in)


async def test_a_silent_card_is_given_up_and_the_next_one_works(counter: Counter, taro: Identity) -> None:
    await counter.insert(JpkiCard(taro, quirks=Quirks(on_command=on(SIGN, SilentError))))
    assert (await counter.prove(Citizen())).outcome is Outcome.reader_failed
    counter.reader.remove()
    # The service still resets what is in the slot in the name of the process that was killed: a card of the same moment
    # would be taken for a mute one.
    await wait_until(lambda: not counter.is_card_in and (not counter.is_real or counter.is_reader_there))
    await counter.insert(JpkiCard(taro))
    assert (await counter.prove(Citizen())).outcome is Outcome.done


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(padding=bytes(600)),
        Quirks(padding=b"\xff" * 70),
        Quirks(piece_bytes=100),
        Quirks(piece_bytes=255),
        Quirks(names_length=True),
        Quirks(padding=bytes(3), piece_bytes=17, names_length=True),
    ],
    ids=["padded", "padded with FF", "in pieces", "in uneven pieces", "6Cxx", "all of it"],
)
async def test_cards_that_answer_in_other_ways(counter: Counter, taro: Identity, quirks: Quirks) -> None:
    await counter.insert(JpkiCard(taro, quirks=quirks))
    result = await counter.prove(Citizen())
    assert result.outcome is Outcome.done
    assert result.certificate == taro.certificate
    assert is_signed(result)


@pytest.mark.parametrize("claimed_bytes", [8193, 65_535, 259, 4])
async def test_a_certificate_of_a_length_that_cannot_be(counter: Counter, taro: Identity, claimed_bytes: int) -> None:
    citizen = Citizen()
    await counter.insert(JpkiCard(taro, quirks=Quirks(claimed_bytes=claimed_bytes)))
    result = await counter.prove(citizen)
    assert (result.outcome, result.certificate) == (Outcome.reader_failed, None)
    assert not citizen.asked


async def test_a_pin_that_is_none_is_not_tried(counter: Counter, taro: Identity) -> None:
    card = JpkiCard(taro)
    await counter.insert(card)
    for pin in ("123", "12345", "12 4", "１２３４", "abcd", ""):
        assert (await counter.prove(Citizen(pin=pin))).outcome is Outcome.cancelled
    assert card.tries_left == 3


async def test_a_citizen_who_presses_cancel(counter: Counter, taro: Identity) -> None:
    await counter.insert(JpkiCard(taro))
    assert (await counter.prove(Citizen(pin=None))).outcome is Outcome.cancelled


async def test_a_job_ends_in_its_time(counter: Counter, taro: Identity) -> None:
    await counter.insert(JpkiCard(taro))
    assert (await counter.prove(Citizen(waits=True), limit_s=0.4)).outcome is Outcome.expired


async def test_one_job_at_a_time(counter: Counter, taro: Identity) -> None:
    await counter.insert(JpkiCard(taro))
    citizen = Citizen(waits=True)
    proving = asyncio.create_task(counter.prove(citizen))
    await wait_until(lambda: citizen.asked)
    assert (await counter.prove(Citizen())).outcome is Outcome.busy
    assert (await counter.number()).outcome is Outcome.busy
    await counter.desk.release()
    assert (await proving).outcome is Outcome.cancelled
    assert (await counter.prove(Citizen())).outcome is Outcome.done


async def test_a_tap_asks_for_no_pin(counter: Counter, taro: Identity) -> None:
    citizen, card = Citizen(), JpkiCard(taro)
    card.block()
    await counter.insert(card)
    result = await counter.prove(citizen, how="tap")
    assert (result.outcome, result.certificate, result.signature) == (Outcome.done, taro.certificate, None)
    assert not citizen.asked
    assert not card.checks


async def test_the_signature_certificate_gives_its_serial_for_address_changes(counter: Counter, taro: Identity) -> None:
    citizen = Citizen()
    await counter.insert(JpkiCard(taro))
    result = await counter.prove(citizen, address_change=True)
    assert result.outcome is Outcome.done
    assert int(result.signature_serial or "", 16) == taro.signature_serial
    assert citizen.asked_password == [5]
    assert is_signed(result)


async def test_a_wrong_signature_password_is_told_from_a_wrong_pin(counter: Counter, taro: Identity) -> None:
    await counter.insert(JpkiCard(taro))
    result = await counter.prove(Citizen(password="WRONG99"), address_change=True)
    assert (result.outcome, result.tries_left, result.signature_serial) == (Outcome.wrong_pin, 4, None)
    assert is_signed(result), "the PIN was right"


async def test_a_card_that_is_held_gives_its_signature_serial_without_another_pin(
    counter: Counter, taro: Identity
) -> None:
    citizen = Citizen()
    insertion = await counter.insert(JpkiCard(taro))
    await counter.prove(citizen)
    result = await counter.prove(citizen, again=insertion, address_change=True)
    assert int(result.signature_serial or "", 16) == taro.signature_serial
    assert is_signed(result)
    assert (citizen.asked, citizen.asked_password) == ([3], [5])
    assert (await counter.prove(citizen, again=insertion)).outcome is Outcome.done


async def test_the_operation_goes_on_without_the_signature_certificate(counter: Counter, taro: Identity) -> None:
    citizen = Citizen(password=None)
    insertion = await counter.insert(JpkiCard(taro))
    await counter.prove(citizen)
    for password, outcome in (
        (None, Outcome.cancelled),
        ("short", Outcome.cancelled),
        *[("WRONG99", Outcome.wrong_pin)] * 4,
        *[("WRONG99", Outcome.blocked)] * 2,
    ):
        citizen.password = password
        result = await counter.prove(citizen, again=insertion, address_change=True)
        assert (result.outcome, result.signature_serial) == (outcome, None)
        assert (await counter.prove(citizen, again=insertion)).outcome is Outcome.done
    assert citizen.asked == [3]


async def test_a_released_card_is_not_held_on_for_its_signature_certificate(counter: Counter, taro: Identity) -> None:
    citizen, card = Citizen(), JpkiCard(taro)
    insertion = await counter.insert(card)
    await counter.prove(citizen)
    citizen.waits = True
    asking = asyncio.create_task(counter.prove(citizen, again=insertion, address_change=True))
    await wait_until(lambda: citizen.asked_password)
    await counter.desk.release()
    assert (await asking).outcome is Outcome.cancelled
    await wait_until(lambda: not card.is_verified())
    assert (await counter.prove(citizen, again=insertion)).outcome is Outcome.removed


async def test_cards_and_the_reader_are_told_of(counter: Counter, taro: Identity) -> None:
    assert counter.told == [ReaderState(connected=True)]

    async def told() -> float:
        first = await counter.insert(JpkiCard(taro))
        began_s = time.monotonic()
        assert await counter.remove() == first
        took_s = time.monotonic() - began_s
        assert await counter.insert(JpkiCard(taro)) != first
        await counter.remove()
        return took_s

    await quick_enough(1.0, told)


async def test_who_asks_later_is_told_what_is_in(counter: Counter, taro: Identity) -> None:
    insertion = await counter.insert(JpkiCard(taro))
    events = counter.desk.events()
    first, second = await anext(events), await anext(events)
    assert first == ReaderState(connected=True)
    assert getattr(second, "insertion", None) == insertion


async def test_a_street_card_by_felica(counter: Counter) -> None:
    taking = asyncio.create_task(counter.number())
    await asyncio.sleep(0)
    counter.reader.insert(FelicaCard(bytes.fromhex("0101060A0B0C0D0E")))
    result = await taking
    assert (result.outcome, result.number, result.source) == (Outcome.done, "0101060A0B0C0D0E", "felica")


async def test_a_street_card_that_is_in_already_is_the_last_customers(counter: Counter) -> None:
    await counter.insert(FelicaCard())
    assert (await counter.number(limit_s=0.6)).outcome is Outcome.expired


async def test_a_my_number_card_has_no_number(counter: Counter, taro: Identity) -> None:
    taking = asyncio.create_task(counter.number(limit_s=4.0))
    await asyncio.sleep(0)
    await counter.insert(JpkiCard(taro))
    await wait_until(lambda: counter.typed.is_wanted)
    assert counter.typed.feed("A12345678A\r\n")
    result = await taking
    assert (result.outcome, result.number, result.source) == (Outcome.done, "A12345678A", "typed")


async def test_a_number_that_nobody_waits_for_is_forgotten(counter: Counter) -> None:
    assert not counter.typed.feed("12345")
    taking = asyncio.create_task(counter.number())
    await wait_until(lambda: counter.typed.is_wanted)
    assert not counter.typed.feed("a b; 不可\n")
    assert counter.typed.feed("１２３４５６７８")
    assert (await taking).number == "12345678"
    assert not counter.typed.feed("12345")


async def test_the_operation_ends_while_a_number_is_waited_for(counter: Counter) -> None:
    taking = asyncio.create_task(counter.number())
    await wait_until(lambda: counter.typed.is_wanted)
    await counter.desk.release()
    assert (await taking).outcome is Outcome.cancelled


async def test_a_number_is_taken_while_a_card_is_held(counter: Counter, taro: Identity) -> None:
    insertion = await counter.insert(JpkiCard(taro))
    await counter.prove(Citizen())
    assert (await counter.number(limit_s=0.1)).outcome is Outcome.expired
    taking = asyncio.create_task(counter.number())
    await wait_until(lambda: counter.typed.is_wanted)
    counter.typed.feed("12345678")
    assert (await taking).outcome is Outcome.done
    assert (await counter.prove(Citizen(), again=insertion)).outcome is Outcome.done


async def test_a_failure_leaves_no_card_with_a_pin_typed(counter: Counter, taro: Identity) -> None:
    card = JpkiCard(taro)
    await counter.insert(card)
    result = await counter.prove(Citizen(password="WRONG99"), address_change=True)
    assert result.outcome is Outcome.wrong_pin
    await wait_until(lambda: not card.is_verified())


async def test_a_job_that_nobody_waits_for_any_more_leaves_the_desk_free(counter: Counter, taro: Identity) -> None:
    await counter.insert(JpkiCard(taro))
    citizen = Citizen(waits=True)
    proving = asyncio.create_task(counter.prove(citizen))
    await wait_until(lambda: citizen.asked)
    proving.cancel()
    await asyncio.wait([proving])
    assert (await counter.prove(Citizen())).outcome is Outcome.done


async def test_a_card_is_not_held_for_ever(counter: Counter, taro: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_agent.desk.HOLD_LIMIT_S", 0.05)
    card = JpkiCard(taro)
    insertion = await counter.insert(card)
    await counter.prove(Citizen())
    await wait_until(lambda: not card.is_verified())
    assert (await counter.prove(Citizen(), again=insertion)).outcome is Outcome.removed
