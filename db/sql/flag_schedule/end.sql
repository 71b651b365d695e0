-- Ends a schedule.  No row: it had ended before.
-- param:  id uuid
-- param:  state text
-- param:  by jsonb
-- param:  failure text
-- param:  revision bigint
-- column: id uuid
UPDATE flag_schedule SET state = $2, ended_at = clock_timestamp(), ended_by = $3, failure = $4, revision = $5
WHERE id = $1 AND state = 'pending'
RETURNING id;
