"""Whatever a card answers, every step ends with an outcome; whatever stands in a certificate is read or refused."""

from io import BytesIO
from itertools import cycle
from typing import Final
from uuid import UUID

import pytest
from hypothesis import strategies as st

from reader_agent.apdu import PIECES_LIMIT, UnreadableError, der_length, read_der, send
from reader_agent.card_frames import HEAD, Ask, FrameError, Step, frame, lengths, read_ask, read_said
from reader_agent.card_session import CardSession
from reader_agent.jpki import serial_of
from reader_agent.presence import Presence
from reader_agent.typed_numbers import number_of
from schemas.uplink import CERTIFICATE_LIMIT_BYTES, Outcome
from tests.fuzzing import fuzzed
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard, Quirks
from tests.reader_agent.card.in_memory import InMemoryReader

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

INSERTION: Final = UUID(int=1)
COMMANDS_LIMIT: Final = 8 * PIECES_LIMIT * PIECES_LIMIT
"""Each file in pieces, each piece in pieces."""
IDENTITY: Final = CardAuthority().issue()

statuses = st.one_of(
    st.sampled_from([0x9000, 0x6100, 0x6101, 0x61FF, 0x6C00, 0x6C04, 0x6CFF, 0x63C0, 0x63C3, 0x6984, 0x6983, 0x6982]),
    st.integers(0, 0xFFFF),
)
contents = st.one_of(
    st.binary(max_size=300),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=256, max_size=256),
    st.binary(min_size=2, max_size=2).map(lambda length: b"\x30\x82" + length),
    st.just(IDENTITY.certificate[:4]),
)
answers = st.lists(st.tuples(contents, statuses), min_size=1, max_size=60)


class AnyCard:
    """Answers these, over and over again, whatever it is asked; it is also all the readers there are."""

    def __init__(self, answers: list[tuple[bytes, int]]) -> None:
        self._answers = cycle(answers)
        self.commands = 0

    def send_and_receive(self, _: bytes | bytearray, /) -> tuple[bytes, int]:
        self.commands += 1
        return next(self._answers)

    def close(self) -> None:
        pass

    def present(self) -> list[UUID]:
        return [INSERTION]

    def connect(self, _: UUID, _limit_s: float) -> "AnyCard":
        return self


@fuzzed(
    answers=answers,
    steps=st.lists(
        st.sampled_from(["open", "sign", "signature_tries", "signature_serial", "idm", "release"]), max_size=6
    ),
    typed=st.sampled_from([b"", b"1234", b"ABC123", b"\x00"]),
)
def test_fuzz_every_step_ends_with_an_outcome(
    answers: list[tuple[bytes, int]], steps: list[Step], typed: bytes
) -> None:
    card = AnyCard([(b"", 0x9000), *answers])
    session = CardSession(card)
    for number, step in enumerate(["open", *steps], start=1):
        secret = bytearray(typed)
        answer = session.do(Ask(id=number, do=step, insertion=INSERTION if step == "idm" else None), secret)
        assert answer.outcome in Outcome
        assert not any(secret), "what was typed is wiped"
    assert card.commands <= COMMANDS_LIMIT


@fuzzed(answers=answers, limit=st.sampled_from([0, 4, 16, 256]))
def test_fuzz_an_answer_is_never_longer_than_asked_for(answers: list[tuple[bytes, int]], limit: int) -> None:
    card = AnyCard(answers)
    try:
        data, _ = send(card, b"\x00\xb0\x00\x00\x00", limit)
    except UnreadableError:
        data = b""
    assert len(data) <= limit
    assert card.commands <= PIECES_LIMIT + 2


@fuzzed(answers=answers, limit=st.integers(300, CERTIFICATE_LIMIT_BYTES))
def test_fuzz_a_file_is_never_longer_than_its_limit(answers: list[tuple[bytes, int]], limit: int) -> None:
    try:
        read = read_der(AnyCard(answers), limit)
    except UnreadableError:
        return
    assert len(read) == der_length(read[:4], limit) <= limit


@fuzzed(head=st.one_of(st.binary(max_size=6), st.binary(min_size=2, max_size=2).map(lambda it: b"\x30\x82" + it)))
def test_fuzz_a_der_length_is_true_or_refused(head: bytes) -> None:
    try:
        total = der_length(head, CERTIFICATE_LIMIT_BYTES)
    except UnreadableError:
        return
    assert 260 <= total <= CERTIFICATE_LIMIT_BYTES
    assert head == b"\x30\x82" + (total - 4).to_bytes(2)


@fuzzed(
    cut=st.integers(0, len(IDENTITY.signature_certificate)),
    changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    more=st.binary(max_size=20),
)
def test_fuzz_a_certificate_is_read_or_refused(cut: int, changes: list[tuple[int, int]], more: bytes) -> None:
    """Mostly whole but for a few bytes near its beginning, where versions, serial numbers and lengths are."""
    certificate = bytearray(IDENTITY.signature_certificate)
    for place, value in changes:
        certificate[place] = value
    _read_or_refuse(bytes(certificate))
    _read_or_refuse(bytes(certificate[:cut]) + more)


@fuzzed(content=st.binary(max_size=400))
def test_fuzz_whatever_is_no_certificate_is_refused(content: bytes) -> None:
    _read_or_refuse(content)


def _read_or_refuse(certificate: bytes) -> None:
    try:
        serial = serial_of(certificate)
    except UnreadableError:
        return
    assert 0 < int(serial, 16) < 1 << 160
    assert len(serial) % 2 == 0


@fuzzed(
    padding=st.binary(max_size=1000),
    piece_bytes=st.one_of(st.none(), st.integers(5, 256)),
    names_length=st.booleans(),
)
def test_fuzz_a_good_card_is_read_whatever_its_ways(
    *, padding: bytes, piece_bytes: int | None, names_length: bool
) -> None:
    reader = InMemoryReader(Presence())
    reader.insert(JpkiCard(IDENTITY, quirks=Quirks(padding, piece_bytes, names_length)))
    session = CardSession(reader)
    opened = session.do(Ask(id=1, do="open"), bytearray())
    assert opened.certificate == IDENTITY.certificate
    assert session.do(Ask(id=2, do="sign", text=b"text"), bytearray(b"1234")).outcome is Outcome.done


@fuzzed(sent=st.binary(max_size=200), said=st.booleans())
def test_fuzz_frames_are_read_or_refused(*, sent: bytes, said: bool) -> None:
    pipe = BytesIO((HEAD.pack(max(len(sent) - HEAD.size, 0), 0) if said else b"") + sent)
    try:
        read = read_ask(pipe)
    except (FrameError, ValueError):
        return
    assert read is None or isinstance(read[0], Ask)


@fuzzed(body=st.binary(max_size=200))
def test_fuzz_what_the_card_process_says_is_read_or_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_said(body)


@fuzzed(typed=st.binary(max_size=16), text=st.binary(max_size=128))
def test_fuzz_a_frame_comes_as_it_was_sent(typed: bytes, text: bytes) -> None:
    ask = Ask(id=1, do="sign", text=text)
    sent = frame(ask, typed)
    assert sum(lengths(sent[: HEAD.size])) == len(sent) - HEAD.size
    assert read_ask(BytesIO(sent)) == (ask, bytearray(typed))
    assert read_ask(BytesIO(sent[:-1])) is None


@fuzzed(line=st.binary(max_size=300).map(lambda typed: typed.decode("utf-16", "replace")))
def test_fuzz_a_typed_line_is_a_number_or_none(line: str) -> None:
    number = number_of(line)
    assert number is None or (0 < len(number) <= 64 and number.isascii() and number.isprintable())
