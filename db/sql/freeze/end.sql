-- Takes a freeze back.  No row: it was ended, or is over.
-- param:  id uuid
-- param:  ended_by jsonb
-- column: id uuid
UPDATE change_freeze SET ended_at = clock_timestamp(), ended_by = $2
WHERE id = $1 AND ended_at IS NULL AND (weekly IS NOT NULL OR ends_at > clock_timestamp())
RETURNING id;
