"""The enrolment form is taken as it is meant, and where it cannot be, a sentence says how to mend it."""

import pytest

from reader_agent.enrolment_fields import FIELDS, meant


@pytest.mark.parametrize(
    "name,typed,taken",
    [
        ("terminal_id", "ｔ２３２３４３ａｂｃｄｅｆ", "T232343ABCDEF"),
        ("terminal_id", " t232343 abc‐def ", "T232343ABCDEF"),
        ("one_time_password", "７ＫＱＸ－９Ｍ２Ｄ－４１ＺＢ－Ｈ８ＲＣ", "7KQX9M2D41ZBH8RC"),
        ("issuer_id", "０００１２３", "000123"),
        ("issuer_id", "　", ""),
        ("phone", "０３－００００－００００", "03-0000-0000"),
        ("phone", "03(0000)0000", "03-0000-0000"),
        ("phone", "（０３）　００００ー００００", "03-0000-0000"),
        ("phone", "03 0000 0000", "03-0000-0000"),
        ("phone", "03−0000‐0000", "03-0000-0000"),
        ("phone", "+81 3 0000 0000", "+81-3-0000-0000"),
        ("phone", "0300000000", "0300000000"),
        ("mail", " ｌｉｂｒａｒｙ＠city.example", "library@city.example"),
        ("name", "　試験　花子　", "試験　花子"),
    ],
)
def test_it_is_taken_as_it_is_meant(name: str, typed: str, taken: str) -> None:
    assert meant({name: typed})[name] == taken


def test_every_field_says_how_to_mend_it() -> None:
    for field in FIELDS.values():
        assert field.fault(" ") == f"{field.label}を入力してください。"
        assert field.fault("x").endswith("。")
        assert field.fault("x") != field.fault("")
