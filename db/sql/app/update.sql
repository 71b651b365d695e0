-- Replaces an app that this transaction has locked.
-- param:  name text
-- param:  spec jsonb
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
UPDATE app SET spec = $2, revision = revision + 1, updated_at = clock_timestamp()
WHERE name = $1
RETURNING name, spec, revision, created_at, updated_at;
