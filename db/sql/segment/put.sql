-- Replaces a segment, or makes it; this transaction holds the lock of the app's flags.
-- param:  app text
-- param:  name text
-- param:  spec jsonb
-- param:  revision bigint
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
INSERT INTO segment (app, name, spec, revision) VALUES ($1, $2, $3, $4)
ON CONFLICT (app, name) DO UPDATE
    SET spec = excluded.spec, revision = excluded.revision, updated_at = clock_timestamp()
RETURNING name, spec, revision, created_at, updated_at;
