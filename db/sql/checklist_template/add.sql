-- Another version of a template; no row when somebody else added it just now.
-- param:  name text
-- param:  version int
-- param:  groups jsonb
-- param:  created_by jsonb
-- column: name text
-- column: version int
-- column: groups jsonb
-- column: built_in bool
-- column: created_by jsonb
-- column: created_at timestamptz
INSERT INTO checklist_template (name, version, groups, created_by) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING name, version, groups, built_in, created_by, created_at;
