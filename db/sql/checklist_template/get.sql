-- A template, in a version or in the newest.
-- param:  name text
-- param:  version int
-- column: name text
-- column: version int
-- column: groups jsonb
-- column: built_in bool
-- column: created_by jsonb
-- column: created_at timestamptz
SELECT name, version, groups, built_in, created_by, created_at
FROM checklist_template
WHERE name = $1 AND ($2 IS NULL OR version = $2)
ORDER BY version DESC
LIMIT 1;
