-- Replaces a cluster that this transaction has locked.
-- param:  name text
-- param:  spec jsonb
-- param:  uid text
-- column: name text
-- column: spec jsonb
-- column: uid text
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
UPDATE cluster SET spec = $2, uid = $3, revision = revision + 1, updated_at = clock_timestamp()
WHERE name = $1
RETURNING name, spec, uid, revision, created_at, updated_at;
