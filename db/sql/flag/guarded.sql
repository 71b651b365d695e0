-- What is on and requires a version: in one environment, or (null) everywhere.
-- param:  environment_id uuid
-- column: environment_id uuid
-- column: app text
-- column: environment text
-- column: flag text
-- column: requires text
-- column: serves text
SELECT s.environment_id, s.app, e.name AS environment, s.flag, s.spec ->> 'requires_release' AS requires,
       serving_version(s.environment_id) AS serves
FROM flag_environment s JOIN environment e ON e.id = s.environment_id
WHERE s.enabled AND s.spec ->> 'requires_release' IS NOT NULL AND ($1 IS NULL OR s.environment_id = $1)
ORDER BY s.app, e.name, s.flag;
