"""A door's refusal: its own code, nothing moves."""

from hypothesis import given

from tests.workers.ledger.decide.paper import ME, Paper, Wallet, wallets
from tests.workers.ledger.world import refusal


@given(wallets())
def test_a_refusal_moves_nothing(wallet: Wallet) -> None:
    paper = Paper(wallet)
    assert paper.post(refusal("1", ME, "bad_code")).code == "bad_code"
