-- One segment.
-- param:  app text
-- param:  name text
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, revision, created_at, updated_at FROM segment WHERE app = $1 AND name = $2;
