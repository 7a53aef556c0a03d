"""What somebody with every right could do to the books, and the row that the audit names for it (F36)."""

from typing import Final, NamedTuple

JOURNAL: Final = ("transfer", "block", "outcome")
"""What is append-only, and covered by the chain."""


class Tampering(NamedTuple):
    """What is done, and the table, part of the key and part of the sentence by which it is named."""

    name: str
    sql: str
    table: str
    key: str
    what: str


TAMPERINGS: Final = (
    Tampering(
        "points of a transfer",
        """
UPDATE ledger.transfer SET points = points + 1 WHERE partition = 0 AND block = 2 AND line = 0;
""",
        "outcome",
        "0/2/0",
        "add up to 31",
    ),
    Tampering(
        "points of a transfer and its outcome",
        """
UPDATE ledger.transfer SET points = points + 1 WHERE partition = 0 AND block = 2 AND line = 0;
UPDATE ledger.outcome SET points = points + 1 WHERE partition = 0 AND block = 2 AND number = 0;
""",
        "block",
        "0/2",
        "hash does not fit",
    ),
    Tampering(
        "date of a transfer",
        """
UPDATE ledger.transfer SET business_date = '2026-01-09' WHERE partition = 0 AND block = 2 AND line = 0;
""",
        "transfer",
        "0/2/0",
        "date",
    ),
    Tampering(
        "account of a transfer",
        """
UPDATE ledger.transfer SET credit = credit + 1 WHERE partition = 0 AND block = 2 AND line = 0;
""",
        "block",
        "0/2",
        "hash does not fit",
    ),
    Tampering(
        "code of a refusal",
        """
UPDATE ledger.outcome SET code = 'x', points = 0 WHERE partition = 0 AND block = 2 AND number = 0;
""",
        "transfer",
        "0/2/0",
        "was refused",
    ),
    Tampering(
        "request of an outcome",
        """
UPDATE ledger.outcome SET request_hash = 'x' WHERE partition = 0 AND block = 2 AND number = 0;
""",
        "block",
        "0/2",
        "hash does not fit",
    ),
    Tampering(
        "id of an outcome",
        """
UPDATE ledger.outcome SET command_id = 'x' WHERE partition = 0 AND block = 2 AND number = 0;
""",
        "block",
        "0/2",
        "hash does not fit",
    ),
    Tampering(
        "answer of an outcome",
        """
UPDATE ledger.outcome SET balances = '{}' WHERE partition = 0 AND block = 2 AND number = 0;
""",
        "block",
        "0/2",
        "hash does not fit",
    ),
    Tampering(
        "citizen of an outcome",
        """
UPDATE ledger.outcome SET citizen_id = '00000000-0000-0000-0000-000000000103' WHERE partition = 0 AND
block = 2 AND number = 0;
""",
        "outcome",
        "0/2/0",
        "another partition",
    ),
    Tampering(
        "outcome in a volume of the past",
        """
UPDATE ledger.outcome SET volume = 0 WHERE partition = 0 AND block = 6 AND number = 0;
""",
        "outcome",
        "0/6/0",
        "it is in volume 0, after one in volume",
    ),
    Tampering(
        "outcome in a volume that nobody reads",
        """
UPDATE ledger.outcome SET volume = 99 WHERE partition = 0 AND block = 6;
""",
        "outcome",
        "0/6/0",
        "it is in volume 99, and the head says",
    ),
    Tampering(
        "transfer deleted",
        """
DELETE FROM ledger.transfer WHERE partition = 0 AND block = 2 AND line = 0;
""",
        "block",
        "0/2",
        "transfer line 0 is not there",
    ),
    Tampering(
        "last transfer of a block deleted",
        """
DELETE FROM ledger.transfer WHERE partition = 0 AND block = 1 AND line = 2;
""",
        "block",
        "0/1",
        "there are 3 and 2",
    ),
    Tampering(
        "outcome deleted",
        """
DELETE FROM ledger.outcome WHERE partition = 0 AND block = 2 AND number = 2;
""",
        "block",
        "0/2",
        "outcome number 2 is not there",
    ),
    Tampering(
        "block deleted",
        """
DELETE FROM ledger.block WHERE partition = 0 AND block = 3;
""",
        "block",
        "0/3",
        "the next one is 4",
    ),
    Tampering(
        "transfer inserted",
        """
INSERT INTO ledger.transfer SELECT 0, 2, 2, 0, 2, debit, credit, 1, business_date FROM ledger.transfer
WHERE partition = 0 AND block = 2 AND line = 0;
""",
        "block",
        "0/2",
        "transfers, and there are 4 and 3",
    ),
    Tampering(
        "transfer inserted after the last block",
        """
INSERT INTO ledger.transfer SELECT 0, 99, 0, 0, 2, debit, credit, 1, business_date FROM ledger.transfer
WHERE partition = 0 AND block = 2 AND line = 0;
""",
        "transfer",
        "0/99/0",
        "its block is not there",
    ),
    Tampering(
        "outcome inserted between blocks",
        """
INSERT INTO ledger.outcome SELECT party_id, 'x', request_hash, 0, 0, 0, citizen_id, kind, code, points,
balances, posted_on FROM ledger.outcome WHERE partition = 0 AND block = 2 AND number = 0;
""",
        "outcome",
        "0/0/0",
        "its block is not there",
    ),
    Tampering(
        "transfers swapped",
        """
UPDATE ledger.transfer AS t SET line = -1 - t.line WHERE partition = 0 AND block = 1 AND line IN (0, 1);
UPDATE ledger.transfer AS t SET line = CASE t.line WHEN -1 THEN 1 ELSE 0 END WHERE partition = 0 AND block
= 1 AND line < 0;
""",
        "block",
        "0/1",
        "hash does not fit",
    ),
    Tampering(
        "outcomes swapped",
        """
UPDATE ledger.outcome AS t SET number = -1 - t.number WHERE partition = 0 AND block = 1 AND number IN (0,
1);
UPDATE ledger.outcome AS t SET number = CASE t.number WHEN -1 THEN 1 ELSE 0 END WHERE partition = 0 AND
block = 1 AND number < 0;
""",
        "outcome",
        "0/1/0",
        "add up",
    ),
    Tampering(
        "hash of a block",
        """
UPDATE ledger.block SET hash = sha256(hash) WHERE partition = 0 AND block = 6;
""",
        "block",
        "0/6",
        "hash does not fit",
    ),
    Tampering(
        "link of a block",
        """
UPDATE ledger.block SET previous = sha256(hash) WHERE partition = 0 AND block = 6;
""",
        "block",
        "0/6",
        "does not follow",
    ),
    Tampering(
        "tail cut",
        """
DELETE FROM ledger.transfer WHERE partition = 0 AND block = 6;
DELETE FROM ledger.block WHERE partition = 0 AND block = 6;
DELETE FROM ledger.outcome WHERE partition = 0 AND block = 6;
""",
        "head",
        "0",
        "it says block 6, and the chain ends with block 5",
    ),
    Tampering(
        "head",
        """
UPDATE ledger.head SET hash = 'x' WHERE partition = 0;
""",
        "head",
        "0",
        "not the last block's",
    ),
    Tampering(
        "head gone",
        """
DELETE FROM ledger.head WHERE partition = 0;
""",
        "head",
        "0",
        "not there",
    ),
    Tampering(
        "balance of a lot",
        """
UPDATE ledger.lot SET balance = balance + 1 WHERE partition = 0 AND account = 2;
""",
        "lot",
        "0/2",
        "add up to",
    ),
    Tampering(
        "balance below zero",
        """
UPDATE ledger.lot SET balance = -1 WHERE partition = 0 AND account = 2;
""",
        "lot",
        "0/2",
        "below zero",
    ),
    Tampering(
        "balance of a contra account",
        """
UPDATE ledger.contra SET balance = 0 WHERE partition = 0 AND account = 1;
""",
        "contra",
        "0/partner:000000000000000000000000000000a1",
        "its balance is 0",
    ),
    Tampering(
        "lot gone",
        """
DELETE FROM ledger.lot WHERE partition = 0 AND account = 2;
""",
        "transfer",
        "0/2",
        "there is none",
    ),
    Tampering(
        "lot made up",
        """
UPDATE ledger.head SET next_account = 1000 WHERE partition = 0;
INSERT INTO ledger.lot SELECT 0, 999, citizen_id, pool, '2027-01-01', origin, 5 FROM ledger.lot WHERE
partition = 0 AND account = 2;
""",
        "lot",
        "0/999",
        "no transfer ever touched it",
    ),
    Tampering(
        "lot beyond the numbers given",
        """
INSERT INTO ledger.lot SELECT 0, 999, citizen_id, pool, '2027-01-01', origin, 5 FROM ledger.lot WHERE
partition = 0 AND account = 2;
""",
        "lot",
        "0/999",
        "never given",
    ),
    Tampering(
        "lot doubled",
        """
UPDATE ledger.lot SET (pool, expires_on, origin) = (SELECT pool, expires_on, origin FROM ledger.lot WHERE
partition = 0 AND account = 2) WHERE partition = 0 AND account = 5;
""",
        "lot",
        "0/5",
        "another lot has the same",
    ),
    Tampering(
        "number given twice",
        """
UPDATE ledger.contra SET account = 2 WHERE partition = 0 AND account = 1;
""",
        "contra",
        "0/2",
        "two accounts",
    ),
    Tampering(
        "citizen of a lot",
        """
UPDATE ledger.lot SET citizen_id = '00000000-0000-0000-0000-000000000200' WHERE partition = 0 AND account
= 2;
""",
        "transfer",
        "0/1/0",
        "nothing that the ledger does",
    ),
    Tampering(
        "last day of a lot",
        """
UPDATE ledger.lot SET expires_on = '2026-01-01' WHERE partition = 0 AND account = 2;
""",
        "transfer",
        "0/1/0",
        "nothing that the ledger does",
    ),
    Tampering(
        "another last day of a lot",
        """
UPDATE ledger.lot SET expires_on = '2031-12-31' WHERE partition = 0 AND account = (
    SELECT min(account) FROM ledger.lot WHERE partition = 0 AND balance > 0 AND pool <> 'reserve');
""",
        "block",
        "0/",
        "not as it opened them",
    ),
    Tampering(
        "another last day of a lot, and its block's word for it",
        """
UPDATE ledger.lot SET expires_on = '2029-12-31' WHERE partition = 0 AND account = 2;
UPDATE ledger.block SET first_account = NULL, until_account = NULL, accounts_hash = NULL WHERE partition = 0 AND block
= 1;
""",
        "block",
        "0/1",
        "does not fit its rows",
    ),
    Tampering(
        "pool of a lot",
        """
UPDATE ledger.lot SET pool = 'scheme:131016' WHERE partition = 0 AND account = 2;
""",
        "transfer",
        "0/1/0",
        "nothing that the ledger does",
    ),
    Tampering(
        "party of a contra account",
        """
UPDATE ledger.contra SET party_id = '00000000-0000-0000-0000-0000000000ff' WHERE partition = 0 AND account
= 1;
""",
        "contra",
        "0/partner:000000000000000000000000000000a1",
        "do not fit",
    ),
    Tampering(
        "rollup",
        """
UPDATE ledger.rollup SET points = points - 1 WHERE partition = 0 AND kind = 2;
""",
        "rollup",
        "0/2026-01-10/130001/00000000-0000-0000-0000-0000000000a1/event:00000000-0000-0000-0000-0000000000e1/2",
        "it says 1 transfers and 29 points, the journal 1 and 30",
    ),
    Tampering(
        "rollup gone",
        """
DELETE FROM ledger.rollup WHERE partition = 0 AND kind = 4;
""",
        "rollup",
        "/4",
        "says 0",
    ),
    Tampering(
        "rollup made up",
        """
INSERT INTO ledger.rollup SELECT 0, '2025-01-01', lg_code, counterparty_id, pool, kind, 1, 1 FROM
ledger.rollup WHERE partition = 0 AND kind = 4 LIMIT 1;
""",
        "rollup",
        "0/2025-01-01",
        "the journal 0 and 0",
    ),
)
