"""Every named place where a worker is killed, in one list (test_failpoints checks that none in the code is missing)."""

from typing import Final

POINTS: Final = (
    "call.taken",
    "ledger.before_tx",
    "ledger.mid_write",
    "outbox.mid_flush",
    "ledger.before_commit",
    "ledger.after_commit",
    "call.before_reply",
    "relay.before_handle",
    "mail.before_tx",
    "mail.before_commit",
    "mail.after_commit",
    "mail.before_mark",
    "lanes.won",
)
OVER_BROKER: Final = (
    "relay.before_publish",
    "relay.after_publish",
    "mail.after_commit",
    "call.taken",
    "call.before_reply",
    "relay.before_handle",
    "ledger.after_commit",
)
"""Where a worker is killed while everything goes by the broker: what only that has, and what it has to make good."""
DOORS: Final = (
    "partner.before_posting",
    "ledger.before_tx",
    "ledger.before_commit",
    "ledger.after_commit",
    "partner.after_posting",
)
"""Where a whole hub behind its HTTP door is killed (F01 to F03)."""
ELSEWHERE: Final = {
    "branches.prepared": "tests/workers/ledger",
    "branches.decided": "tests/workers/ledger",
    "mail.before_record": "tests/connectors/mail",
    "clockwork.before_page_done": "tests/workers/clockwork",
    "partner.file_received": "tests/connectors/partner",
    "partner.file_taken": "tests/connectors/partner",
    "partner.block_answered": "tests/connectors/partner",
    "partner.block_recorded": "tests/connectors/partner",
}
"""Places of components that are not part of this installation, and the tests that kill there."""
EARLY: Final = frozenset({"lanes.won"})
"""Places that are passed a few times only, when a process begins: killed at their first pass."""
