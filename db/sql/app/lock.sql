-- One app, to be written or deleted by this transaction.
-- param:  name text
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, revision, created_at, updated_at FROM app WHERE name = $1 FOR UPDATE;
