-- One flag.
-- param:  app text
-- param:  name text
-- column: name text
-- column: spec jsonb
-- column: stale bool
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, flag_stale(spec) AS stale, revision, created_at, updated_at FROM flag WHERE app = $1 AND name = $2;
