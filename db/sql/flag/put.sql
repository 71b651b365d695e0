-- Replaces a flag, or makes it; this transaction holds the lock.
-- param:  app text
-- param:  name text
-- param:  spec jsonb
-- param:  revision bigint
-- column: name text
-- column: spec jsonb
-- column: stale bool
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
INSERT INTO flag (app, name, spec, revision) VALUES ($1, $2, $3, $4)
ON CONFLICT (app, name) DO UPDATE
    SET spec = excluded.spec, revision = excluded.revision, updated_at = clock_timestamp()
RETURNING name, spec, flag_stale(spec) AS stale, revision, created_at, updated_at;
