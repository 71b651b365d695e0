-- One chain, oldest first.
-- param:  chain text
-- param:  after bigint
-- param:  to_seq bigint
-- param:  action text
-- param:  limit bigint
-- column: chain text
-- column: seq bigint
-- column: xid xid8
-- column: action text
-- column: line text
SELECT chain, seq, xid, action, line
FROM record
WHERE chain = $1 AND seq > $2 AND ($3 = 0 OR seq <= $3) AND ($4 IS NULL OR action = $4)
ORDER BY seq
LIMIT $5;
