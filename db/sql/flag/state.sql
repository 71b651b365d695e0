-- What a flag is in an environment: always one row.  No environment_id: there is no such environment; no flag: no such
-- flag; no revision: nobody said anything about it there.
-- param:  app text
-- param:  environment text
-- param:  flag text
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
SELECT e.id AS environment_id, f.name AS flag, f.spec AS definition, flag_stale(f.spec) AS stale,
       s.enabled, s.killed, s.spec, s.revision, s.created_at, s.updated_at
FROM (VALUES (1)) one (row)
LEFT JOIN environment e ON e.app = $1 AND e.name = $2
LEFT JOIN flag f ON f.app = $1 AND f.name = $3
LEFT JOIN flag_environment s ON s.environment_id = e.id AND s.flag = f.name;
