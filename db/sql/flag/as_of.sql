-- What a flag or a segment was as of a revision of its app.  No row: nothing was said yet; after null: it was deleted.
-- param:  app text
-- param:  kind text
-- param:  name text
-- param:  environment text
-- param:  revision bigint
-- column: after jsonb
SELECT c.after
FROM flag_change c
WHERE c.app = $1 AND c.kind = $2 AND c.name = $3 AND c.environment = coalesce($4, '')
  AND c.revision <= $5 AND $5 <= (SELECT h.revision FROM flag_head h WHERE h.app = $1)
ORDER BY c.revision DESC
LIMIT 1;
