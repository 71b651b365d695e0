-- Forgets one secret.  No row: there is none.
-- param:  key_id uuid
-- param:  slot int
-- column: slot int
DELETE FROM key_secret WHERE key_id = $1 AND slot = $2 RETURNING slot;
