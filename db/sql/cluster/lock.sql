-- One cluster, to be written or deleted by this transaction.
-- param:  name text
-- column: name text
-- column: spec jsonb
-- column: uid text
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, uid, revision, created_at, updated_at FROM cluster WHERE name = $1 FOR UPDATE;
