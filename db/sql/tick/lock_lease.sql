-- The first lock of whoever changes an environment's deployments: every tick takes it before their rows.
-- param:  environment_id uuid
-- column: epoch bigint
SELECT epoch FROM environment_lease WHERE environment_id = $1 FOR NO KEY UPDATE;
