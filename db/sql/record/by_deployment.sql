-- The records of one deployment, oldest first: they are all of one chain.
-- param:  deployment_id uuid
-- param:  after bigint
-- param:  action text
-- param:  limit bigint
-- column: chain text
-- column: seq bigint
-- column: xid xid8
-- column: action text
-- column: line text
SELECT chain, seq, xid, action, line
FROM record
WHERE deployment_id = $1 AND seq > $2 AND ($3 IS NULL OR action = $3)
ORDER BY seq
LIMIT $4;
