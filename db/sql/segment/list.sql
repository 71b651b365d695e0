-- Segments of an app by name.
-- param:  app text
-- param:  after text
-- param:  limit bigint
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, revision, created_at, updated_at
FROM segment
WHERE app = $1 AND ($2 IS NULL OR name > $2)
ORDER BY name
LIMIT $3;
