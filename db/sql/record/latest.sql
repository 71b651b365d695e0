-- Where news begin: after the last seq of a chain or a deployment, and before every open transaction.
-- param:  chain text
-- param:  deployment_id uuid
-- column: seq bigint
-- column: xid xid8
SELECT CASE
           WHEN $1 IS NOT NULL THEN coalesce((SELECT length FROM chain WHERE name = $1), 0)
           ELSE coalesce((SELECT max(seq) FROM record WHERE deployment_id = $2), 0)
       END AS seq,
       pg_snapshot_xmin(pg_current_snapshot()) AS xid;
