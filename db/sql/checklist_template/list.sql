-- The newest version of each template by name.
-- param:  after text
-- param:  limit bigint
-- column: name text
-- column: version int
-- column: built_in bool
-- column: created_by jsonb
-- column: created_at timestamptz
SELECT DISTINCT ON (name) name, version, built_in, created_by, created_at
FROM checklist_template
WHERE $1 IS NULL OR name > $1
ORDER BY name, version DESC
LIMIT $2;
