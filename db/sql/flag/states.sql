-- What an app's flags are in an environment, by name.
-- param:  environment_id uuid
-- param:  app text
-- param:  after text
-- param:  limit bigint
-- column: environment_id uuid
-- column: flag text
-- column: definition jsonb
-- column: stale bool
-- column: enabled bool
-- column: killed bool
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT $1::uuid AS environment_id, f.name AS flag, f.spec AS definition, flag_stale(f.spec) AS stale,
       s.enabled, s.killed, s.spec, s.revision, s.created_at, s.updated_at
FROM flag f
LEFT JOIN flag_environment s ON s.environment_id = $1 AND s.flag = f.name
WHERE f.app = $2 AND ($3 IS NULL OR f.name > $3)
ORDER BY f.name
LIMIT $4;
