"""Whatever two citizens ask for, in batches, over days: the ledger's book does what the naive ledger does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.points import PostingCommand
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, wallets
from tests.workers.ledger.world import (
    CITY,
    DATED,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    TOWN,
    credit,
    expire,
    move,
    refusal,
    sweep,
    use,
)
from tests.workers.ledger.world_holds import (
    acknowledge,
    authorise,
    capture,
    correct,
    coupon,
    expire_order,
    expire_voucher,
    grant,
    issue,
    redeem,
    refund,
    revoke,
    send,
    send_back,
    use_together,
    void,
)
from workers.ledger.operations import OPERATIONS

HOLDS: Final = ("h1", "h2", "h3", "h4")
COUNTERS: Final = {FOREVER: TOWN, MONTHLY: CITY, DATED: "131032", FESTIVAL: TOWN}
KINDS: Final = (
    "credit", "reserve", "move", "sweep", "use", "expire", "refusal", "together", "grant", "coupon", "issue", "redeem",
    "expire_voucher", "authorise", "capture", "void", "expire_order", "refund", "send", "acknowledge", "send_back",
    "correct", "revoke",
)  # fmt: skip
Drawn = tuple[str, UUID, str, str, int]
steps: Final = st.tuples(
    st.sampled_from(KINDS), st.sampled_from([ME, ME, SOMEBODY]), st.sampled_from(sorted(COUNTERS)),
    st.sampled_from(HOLDS), st.integers(1, 12),
)  # fmt: skip
batches: Final = st.lists(st.tuples(st.integers(0, 9), st.lists(steps, min_size=1, max_size=6)), max_size=6)


def command_of(drawn: Drawn, name: str, paper: Paper, made: list[PostingCommand]) -> PostingCommand:
    kind, me, pool, hold, n = drawn
    lg_code = COUNTERS[pool]
    make: dict[str, Callable[[], PostingCommand]] = {
        "credit": lambda: credit(name, me, n, pool),
        "reserve": lambda: credit(name, me, n),
        "move": lambda: move(name, me, n, pool, at_most=n % 2 == 0),
        "sweep": lambda: sweep(name, me, pool),
        "use": lambda: use(name, me, n, pool, lg_code=lg_code, at_most=n % 2 == 0),
        "expire": lambda: expire(name, me),
        "refusal": lambda: refusal(name, me),
        "together": lambda: use_together(name, me, use("1", me, n), use("2", me, n, DATED, lg_code="131032")),
        "grant": lambda: grant(name, me, n, pool),
        "coupon": lambda: coupon(name, me, hold),
        "issue": lambda: issue(
            name, me, n, pool, lg_code, expires_on=paper.today + timedelta(days=n % 5), hold=hold
        ),
        "redeem": lambda: redeem(name, me, hold, lg_code=lg_code),
        "expire_voucher": lambda: expire_voucher(name, me, hold),
        "authorise": lambda: authorise(name, me, n, pool, until=paper.now + timedelta(days=n % 5, hours=1), hold=hold),
        "capture": lambda: capture(name, me, hold, n if n < 10 else None),
        "void": lambda: void(name, me, hold),
        "expire_order": lambda: expire_order(name, me, hold),
        "refund": lambda: refund(name, me, hold, n),
        "send": lambda: send(name, me, n, pool, lg_code, hold=hold, at_most=n % 2 == 0),
        "acknowledge": lambda: acknowledge(name, me, hold),
        "send_back": lambda: send_back(name, me, hold),
        "correct": lambda: correct(name, made[n % len(made)] if made else use("nothing", me, 1)),
        "revoke": lambda: revoke(name, me),
    }  # fmt: skip
    return make[kind]()


def test_every_operation_takes_part() -> None:
    paper = Paper([])
    taking_part = {type(command_of((kind, ME, FOREVER, "h1", 1), "x", paper, [])) for kind in KINDS}
    assert taking_part == set(OPERATIONS)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wallets(), batches)
def test_whatever_is_asked_the_two_books_agree(wallet: Wallet, days: list[tuple[int, list[Drawn]]]) -> None:
    paper = Paper(wallet)
    for number, hold in enumerate(HOLDS):
        paper.register(hold, 5 + number, sorted(COUNTERS)[number])
    made: list[PostingCommand] = []
    for day, (gap, drawn) in enumerate(days):
        paper.pass_days(gap)
        commands: list[PostingCommand] = []
        for number, each in enumerate(drawn):
            commands.append(command_of(each, f"{day}.{number}", paper, made))
            made.append(commands[-1])
        paper.post_all(*commands)
