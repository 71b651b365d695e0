-- Withdrawn, once; no row: it was before.
-- param:  id uuid
-- param:  withdrawn_by jsonb
-- column: id uuid
UPDATE signoff SET withdrawn_at = clock_timestamp(), withdrawn_by = $2 WHERE id = $1 AND withdrawn_at IS NULL RETURNING id;
