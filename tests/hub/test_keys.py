"""Seals open only where and by whom they were made; hashes and pairwise ids are the same for ever."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.keys import HASH_BYTES, Keys, SealBrokenError, place

SECRET = b"s" * 32
KEYS = Keys(SECRET)
NAME_CELL = place("registry.citizen", "name", "1")
PARTY, OTHER_PARTY, CITIZEN = UUID(int=1), UUID(int=2), UUID(int=3)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_what_was_sealed_opens_at_its_place(plain: bytes, where: str) -> None:
    sealer = KEYS.sealer("test")
    assert sealer.open(sealer.seal(plain, where), where) == plain


def test_a_cell_cannot_be_moved() -> None:
    sealed = KEYS.sealer("registry").seal(b"x", NAME_CELL)
    for elsewhere in (
        place("registry.citizen", "name", "2"),
        place("registry.citizen", "mail", "1"),
        place("mail.citizen", "name", "1"),
    ):
        with pytest.raises(SealBrokenError):
            KEYS.sealer("registry").open(sealed, elsewhere)


def test_another_purpose_or_secret_opens_nothing() -> None:
    sealed = KEYS.sealer("registry").seal(b"x", NAME_CELL)
    for sealer in (KEYS.sealer("mail"), Keys(b"t" * 32).sealer("registry")):
        with pytest.raises(SealBrokenError):
            sealer.open(sealed, NAME_CELL)


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    sealer = KEYS.sealer("registry")
    sealed = sealer.seal(b"some text", NAME_CELL)
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBrokenError):
            sealer.open(bytes(altered), NAME_CELL)
    for length in range(len(sealed)):
        with pytest.raises(SealBrokenError):
            sealer.open(sealed[:length], NAME_CELL)


def test_two_seals_of_one_value_look_different() -> None:
    sealer = KEYS.sealer("registry")
    assert sealer.seal(b"x", NAME_CELL) != sealer.seal(b"x", NAME_CELL)


def test_hashes_are_the_same_for_ever_and_differ_by_purpose() -> None:
    digest = KEYS.hasher("mykey-id").hash(b"ABCD1234")
    assert digest.hex() == "b6464891504e6640ec0d8f94d44364d60c791556beb11530597c0c8196e130ed"
    assert len(digest) == HASH_BYTES
    assert digest != KEYS.hasher("other").hash(b"ABCD1234")
    assert digest != KEYS.hasher("mykey-id").hash(b"ABCD1235")


def test_pairwise_ids_are_version_8_and_never_shared() -> None:
    one = KEYS.pairwise_id(PARTY, CITIZEN)
    assert one.version == 8
    assert one == Keys(SECRET).pairwise_id(PARTY, CITIZEN)
    assert len({one, KEYS.pairwise_id(OTHER_PARTY, CITIZEN), KEYS.pairwise_id(PARTY, PARTY), CITIZEN}) == 4
