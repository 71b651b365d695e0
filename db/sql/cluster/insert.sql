-- A new cluster; no row when somebody else made it just now.
-- param:  name text
-- param:  spec jsonb
-- param:  uid text
-- column: name text
-- column: spec jsonb
-- column: uid text
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
INSERT INTO cluster (name, spec, uid) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING name, spec, uid, revision, created_at, updated_at;
