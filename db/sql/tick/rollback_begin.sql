-- The first statement of a rollback: as every end of a deployment, it counts as a cut-over that creates must see.
-- param:  app text
-- param:  environment text
-- column: environment_id uuid
UPDATE environment SET cutover = cutover + 1, gate_version = gate_version + 1 WHERE app = $1 AND name = $2
RETURNING id AS environment_id;
