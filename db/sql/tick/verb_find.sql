-- A deployment that a verb is asked of, with its environment's lease locked (which every tick locks too).
-- param:  deployment_id uuid
-- column: environment_id uuid
SELECT d.environment_id FROM deployment d JOIN environment_lease l ON l.environment_id = d.environment_id
WHERE d.id = $1 FOR NO KEY UPDATE OF l;
