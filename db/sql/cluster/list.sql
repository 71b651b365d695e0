-- Clusters by name.
-- param:  after text
-- param:  limit bigint
-- column: name text
-- column: spec jsonb
-- column: uid text
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, uid, revision, created_at, updated_at
FROM cluster
WHERE $1 IS NULL OR name > $1
ORDER BY name
LIMIT $2;
