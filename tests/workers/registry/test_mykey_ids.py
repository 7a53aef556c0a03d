"""The rules of MyKey IDs: pressing the two buttons in any order."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.problems import RefusalCode
from workers.registry import mykey_ids
from workers.registry.mykey_ids import FAILED_CHECK_LIMIT, OFFER_LIMIT, Enrolment

CHOICES = st.from_regex(r"[0-9A-Z]{8}", fullmatch=True)


def test_random_mykey_ids_are_eight_of_36_characters() -> None:
    drawn = [mykey_ids.random_mykey_id() for _ in range(1000)]
    assert {len(mykey_id) for mykey_id in drawn} == {8}
    assert set("".join(drawn)) == set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert len(set(drawn)) == len(drawn)


class Buttons(RuleBasedStateMachine):
    """A person pressing 「自動生成」 and 「重複チェック」; others take MyKey IDs meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.enrolment = Enrolment()
        self.fresh = 0
        self.third: str | None = None
        self.failures = 0

    @rule(attempt=st.integers(1, OFFER_LIMIT))
    def press_automatic(self, attempt: int) -> None:
        before = self.enrolment
        is_new = mykey_ids.needs_offer(before, attempt)
        if is_new:
            self.fresh += 1
            self.enrolment = mykey_ids.offer(before, f"{self.fresh:08d}")
        shown = mykey_ids.offered(self.enrolment)
        assert shown.free
        assert shown.mykey_id == self.enrolment.candidate
        assert is_new == (attempt > before.offers)
        if self.enrolment.offers == OFFER_LIMIT:
            self.third = self.third or shown.mykey_id
            assert shown.tries_left == 0

    @rule(chosen=CHOICES, is_free=st.booleans())
    def press_check(self, chosen: str, is_free: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        before = self.enrolment
        self.enrolment, shown = mykey_ids.check(before, chosen, is_free=is_free)
        if shown.free:
            assert self.enrolment.candidate == chosen
            assert is_free or before.candidate == chosen
        else:
            assert self.enrolment.candidate == before.candidate
        self.failures += shown.code == RefusalCode.mykey_id_taken
        refused = shown.code == RefusalCode.tries_used_up
        used_up = before.failed_checks == FAILED_CHECK_LIMIT or before.offers == OFFER_LIMIT
        assert refused == (used_up and before.candidate != chosen)

    @precondition(lambda self: self.enrolment.candidate is not None)
    @rule()
    def check_the_kept_one_again(self) -> None:
        kept = self.enrolment.candidate or ""
        after, shown = mykey_ids.check(self.enrolment, kept, is_free=False)
        assert shown.free
        assert after == self.enrolment

    @invariant()
    def the_limits_hold(self) -> None:
        assert self.fresh == self.enrolment.offers <= OFFER_LIMIT
        assert self.failures == self.enrolment.failed_checks <= FAILED_CHECK_LIMIT

    @invariant()
    def the_third_offer_is_the_one_to_register(self) -> None:
        if self.third is not None:
            assert self.enrolment.candidate == self.third


TestButtons = Buttons.TestCase
