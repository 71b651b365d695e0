-- Several chains, in the order of their transactions, and only what no open transaction can still precede.  The last
-- row, without a chain, is up to where that is: whatever is found later comes after it.  It has a seq when there are
-- records that wait for an older transaction to end.
-- param:  after_xid xid8
-- param:  after_chain text
-- param:  after_seq bigint
-- param:  app text
-- param:  environment text
-- param:  apps text[]
-- param:  action text
-- param:  limit bigint
-- column: chain text
-- column: seq bigint
-- column: xid xid8
-- column: action text
-- column: line text
WITH found AS (
    SELECT chain, seq, xid, action, line
    FROM record
    WHERE (xid, chain, seq) > ($1, $2, $3)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
      AND ($4 IS NULL OR split_part(chain, '/', 1) = $4 AND chain <> 'system')
      AND ($5 IS NULL OR split_part(chain, '/', 2) = $5)
      AND ($6 IS NULL OR split_part(chain, '/', 1) = ANY ($6) AND chain <> 'system')
      AND ($7 IS NULL OR action = $7)
    ORDER BY xid, chain, seq
    LIMIT $8
), horizon AS (
    SELECT NULL::text AS chain,
           (SELECT seq FROM record WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1) AS seq,
           pg_snapshot_xmin(pg_current_snapshot()) AS xid, NULL::text AS action, NULL::text AS line
)
SELECT chain, seq, xid, action, line
FROM (SELECT * FROM found UNION ALL SELECT * FROM horizon) r
ORDER BY chain IS NULL, xid, chain, seq;
