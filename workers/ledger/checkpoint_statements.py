"""The checkpoints' SQL: making them, and comparing them with the chains."""

from typing import Final

LAST: Final = "SELECT number, made_at, document FROM ledger.checkpoint ORDER BY number DESC LIMIT 1"
ENDS: Final = "SELECT partition, block, hash FROM ledger.head WHERE elsewhere IS NULL"
KEEP: Final = """
INSERT INTO ledger.checkpoint (number, made_at, document) VALUES ($1, $2, $3)
ON CONFLICT (number) DO NOTHING RETURNING number
"""
"""Of two processes at once one gets a number back."""

CHECKPOINTS: Final = """
SELECT CASE WHEN b.block IS NULL AND c.block > e.block THEN 'head' ELSE 'block' END AS "table",
    CASE WHEN b.block IS NULL AND c.block > e.block THEN $1::smallint::text
         ELSE concat_ws('/', $1::smallint, c.block) END AS key,
    CASE WHEN b.block IS NOT NULL OR c.block = 0 THEN 'its hash is not the one of the checkpoint'
         WHEN c.block > e.block
         THEN format('the checkpoint saw block %s, and the chain ends with block %s', c.block, e.block)
         ELSE 'the checkpoint saw it, and it is not there' END AS what
FROM unnest($2::bigint[], $3::bytea[]) AS c (block, hash)
CROSS JOIN (SELECT coalesce(max(block), 0) AS block FROM ledger.block WHERE partition = $1) AS e
LEFT JOIN ledger.block AS b ON b.partition = $1 AND b.block = c.block
WHERE coalesce(b.hash, CASE WHEN c.block = 0 THEN '\\x00'::bytea END) IS DISTINCT FROM c.hash
ORDER BY c.block LIMIT 1
"""
"""The first checkpoint that the chain does not pass through; $2 are block numbers, $3 their hashes."""
KEPT_CHECKPOINTS: Final = """
SELECT CASE WHEN b.block IS NULL AND c.block > e.block THEN 'head' ELSE 'block' END AS "table",
    CASE WHEN b.block IS NULL AND c.block > e.block THEN $1::smallint::text
         ELSE concat_ws('/', $1::smallint, c.block) END AS key,
    CASE WHEN b.block IS NOT NULL OR c.block = 0 THEN format('its hash is not the one of checkpoint %s', c.number)
         WHEN c.block > e.block
         THEN format('checkpoint %s saw block %s, and the chain ends with block %s', c.number, c.block, e.block)
         ELSE format('checkpoint %s saw it, and it is not there', c.number) END AS what
FROM (SELECT k.number, (h ->> 'block')::bigint AS block, decode(h ->> 'hash', 'hex') AS hash
      FROM ledger.checkpoint AS k CROSS JOIN json_array_elements(k.document -> 'heads') AS h
      WHERE (h ->> 'partition')::smallint = $1) AS c
CROSS JOIN (SELECT coalesce(max(block), 0) AS block FROM ledger.block WHERE partition = $1) AS e
LEFT JOIN ledger.block AS b ON b.partition = $1 AND b.block = c.block
WHERE coalesce(b.hash, CASE WHEN c.block = 0 THEN '\\x00'::bytea END) IS DISTINCT FROM c.hash
ORDER BY c.number LIMIT 1
"""
"""The same for the checkpoints that the ledger itself keeps."""
