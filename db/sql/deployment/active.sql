-- The active deployment of an environment.
-- param:  environment_id uuid
-- column: id uuid
SELECT id FROM deployment
WHERE environment_id = $1 AND state IN ('running', 'paused', 'undoing', 'stuck');
