-- Flags of an app by name.
-- param:  app text
-- param:  stale bool
-- param:  after text
-- param:  limit bigint
-- column: name text
-- column: spec jsonb
-- column: stale bool
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, flag_stale(spec) AS stale, revision, created_at, updated_at
FROM flag
WHERE app = $1 AND ($2::boolean IS NULL OR flag_stale(spec) = $2) AND ($3 IS NULL OR name > $3)
ORDER BY name
LIMIT $4;
