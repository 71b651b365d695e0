-- Environments in which something is still to be taken back: its flags were locked when that was decided.
-- param:  limit bigint
-- column: environment_id uuid
-- column: app text
-- column: environment text
SELECT DISTINCT f.environment_id, e.app, e.name AS environment
FROM deployment_flag f JOIN environment e ON e.id = f.environment_id
WHERE f.due
LIMIT $1;
