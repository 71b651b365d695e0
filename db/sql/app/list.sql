-- Apps by name; apps: those that the caller may see, null for all.
-- param:  after text
-- param:  apps text[]
-- param:  limit bigint
-- column: name text
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT name, spec, revision, created_at, updated_at
FROM app
WHERE ($1 IS NULL OR name > $1) AND ($2 IS NULL OR name = ANY ($2))
ORDER BY name
LIMIT $3;
