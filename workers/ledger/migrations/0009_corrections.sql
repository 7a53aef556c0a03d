-- Which posting reversed which: the audit compares their transfers. Of several alike, the first one was the first one's.
ALTER TABLE ledger.correction
    ADD COLUMN partition smallint,
    ADD COLUMN block bigint,
    ADD COLUMN number int;
COMMENT ON COLUMN ledger.correction.block IS 'With partition and number: the outcome of the correction.';

WITH originals AS (
    SELECT party_id, command_id, row_number() OVER alike AS n, partition, citizen_id, day, legs
    FROM (
        SELECT c.party_id, c.command_id, o.partition, o.citizen_id, c.corrected_on AS day, o.block, o.number,
            string_agg(concat_ws('/', t.credit, t.debit, t.points), ' ' ORDER BY t.line DESC) AS legs
        FROM ledger.correction AS c
        JOIN ledger.outcome AS o USING (party_id, command_id)
        JOIN ledger.transfer AS t ON t.partition = o.partition AND t.block = o.block AND t.outcome = o.number
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS reversed
    WINDOW alike AS (PARTITION BY partition, citizen_id, day, legs ORDER BY block, number)
), corrections AS (
    SELECT block, number, row_number() OVER alike AS n, partition, citizen_id, day, legs
    FROM (
        SELECT o.partition, o.citizen_id, o.posted_on AS day, o.block, o.number,
            string_agg(concat_ws('/', t.debit, t.credit, t.points), ' ' ORDER BY t.line) AS legs
        FROM ledger.outcome AS o
        JOIN ledger.transfer AS t ON t.partition = o.partition AND t.block = o.block AND t.outcome = o.number
        WHERE o.kind = 51 AND o.code IS NULL
        GROUP BY 1, 2, 3, 4, 5
    ) AS reversing
    WINDOW alike AS (PARTITION BY partition, citizen_id, day, legs ORDER BY block, number)
)
UPDATE ledger.correction AS c SET partition = s.partition, block = s.block, number = s.number
FROM originals AS o JOIN corrections AS s USING (partition, citizen_id, day, legs, n)
WHERE c.party_id = o.party_id AND c.command_id = o.command_id;

CREATE UNIQUE INDEX correction_place ON ledger.correction (partition, block, number);
