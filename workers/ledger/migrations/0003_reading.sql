-- What reading needs: where a citizen's outcomes are, who settles a transfer with whom, how old a hold is.

-- Lines run in the order of their outcomes, so that this key has the order of the old one, and finds an outcome's own.
ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_pkey, ADD PRIMARY KEY (partition, block, outcome, line);
CREATE UNIQUE INDEX outcome_place ON ledger.outcome (partition, block, number);
CREATE INDEX outcome_citizen ON ledger.outcome (citizen_id, block, number) WHERE code IS NULL;
CREATE UNIQUE INDEX contra_account ON ledger.contra (partition, account);

ALTER TABLE ledger.hold ADD COLUMN opened_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE ledger.hold ALTER COLUMN opened_at DROP DEFAULT;
CREATE INDEX hold_merge ON ledger.hold (partition, opened_at, hold_id) WHERE state = 'open' AND kind = 'merge';

CREATE VIEW ledger.settled AS
SELECT t.partition, t.block, t.outcome, t.line, t.business_date, t.debit, t.credit, t.points, t.kind AS posted_kind,
    CASE WHEN t.kind <> 51 THEN t.kind
         WHEN cc.name LIKE 'partner:%' THEN -1
         WHEN cc.name LIKE 'programme:%' THEN -10
         WHEN dc.name LIKE 'store:%' THEN -4
         ELSE -2 END::smallint AS kind,
    CASE WHEN dl.account IS NOT NULL AND cl.account IS NOT NULL
         THEN coalesce(nullif(dl.origin, '00000000-0000-0000-0000-000000000000'), cl.origin)
         ELSE coalesce(dc.party_id, cc.party_id, '00000000-0000-0000-0000-000000000000') END AS counterparty_id,
    CASE WHEN credit_pool = 'reserve' THEN coalesce(debit_pool, credit_pool)
         ELSE coalesce(credit_pool, debit_pool) END AS pool
FROM ledger.transfer AS t
LEFT JOIN ledger.lot AS dl ON dl.partition = t.partition AND dl.account = t.debit
LEFT JOIN ledger.lot AS cl ON cl.partition = t.partition AND cl.account = t.credit
LEFT JOIN ledger.contra AS dc ON dc.partition = t.partition AND dc.account = t.debit
LEFT JOIN ledger.contra AS cc ON cc.partition = t.partition AND cc.account = t.credit
CROSS JOIN LATERAL (SELECT
    coalesce(dl.pool, CASE WHEN dc.party_id IS NULL THEN substring(dc.name FROM '[^:]*:(.*)') END) AS debit_pool,
    coalesce(cl.pool, CASE WHEN cc.party_id IS NULL THEN substring(cc.name FROM '[^:]*:(.*)') END) AS credit_pool
) AS pools;
COMMENT ON VIEW ledger.settled IS 'Every transfer with who settles it with whom; a correction has the kind it reverses, negative.';

ALTER TABLE ledger.rollup
    ADD COLUMN transactions bigint NOT NULL DEFAULT 0,
    ADD COLUMN first_block bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_block bigint NOT NULL DEFAULT 0,
    ADD COLUMN blocks bigint[];
COMMENT ON COLUMN ledger.rollup.kind IS 'Of a correction: the kind that it reverses, negative.';
COMMENT ON COLUMN ledger.rollup.transactions IS 'Commands; one that took from three lots is one, and three transfers.';
COMMENT ON COLUMN ledger.rollup.blocks IS 'Where its transfers are, in order; null once there are more than 16 blocks.';
DROP INDEX ledger.rollup_counterparty, ledger.rollup_municipality;
CREATE INDEX rollup_counterparty ON ledger.rollup (counterparty_id, day, partition);
CREATE INDEX rollup_municipality ON ledger.rollup (lg_code, day, partition);

TRUNCATE ledger.rollup;
INSERT INTO ledger.rollup
SELECT partition, business_date, lg_code, counterparty_id, pool, kind, sum(transfers), sum(points), count(*), min(block),
    max(block), CASE WHEN count(DISTINCT block) <= 16 THEN array_agg(DISTINCT block ORDER BY block) END
FROM (
    SELECT s.partition, s.business_date, coalesce(p.lg_code, '') AS lg_code, s.counterparty_id, s.pool, s.kind, s.block,
        s.outcome, count(*) AS transfers, sum(s.points) AS points
    FROM ledger.settled AS s LEFT JOIN ledger.pool AS p ON p.pool = s.pool
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
) AS transactions
GROUP BY partition, business_date, lg_code, counterparty_id, pool, kind;

GRANT SELECT ON ledger.settled TO mykey_ledger;
