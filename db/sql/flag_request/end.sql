-- Ends a request that is open; this transaction holds the lock of the app's flags.
-- param:  id uuid
-- param:  ended text
-- param:  by jsonb
-- param:  note text
-- param:  revision bigint
UPDATE flag_request SET ended = $2, ended_at = clock_timestamp(), ended_by = $3, note = $4, revision = $5 WHERE id = $1;
