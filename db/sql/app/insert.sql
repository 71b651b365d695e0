-- A new app; no row when somebody else made it just now.
-- param:  name text
-- param:  spec jsonb
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
INSERT INTO app (name, spec) VALUES ($1, $2)
ON CONFLICT DO NOTHING
RETURNING name, spec, revision, created_at, updated_at;
