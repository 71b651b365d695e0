-- What this deployment and those after it changed in the environment is to be taken back.  One row, if there is anything,
-- or something on that requires a version.
-- param:  environment_id uuid
-- param:  since uuid
-- column: app text
-- column: environment text
WITH due AS (
    UPDATE deployment_flag SET due = true
    WHERE environment_id = $1 AND state = 'applied' AND deployment_id IN (
        SELECT d.id FROM deployment d
        WHERE d.environment_id = $1 AND d.started_at >= (SELECT s.started_at FROM deployment s WHERE s.id = $2))
    RETURNING 1
)
SELECT e.app, e.name AS environment FROM environment e WHERE e.id = $1 AND (
    EXISTS (SELECT 1 FROM due)
    OR EXISTS (SELECT 1 FROM flag_environment s
               WHERE s.environment_id = $1 AND s.enabled AND s.spec ->> 'requires_release' IS NOT NULL));
