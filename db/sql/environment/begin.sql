-- Law 4: the first statement of the transaction that starts a deployment.  No row when the environment was
-- changed, or a deployment ended, since it was read: look again.
-- param:  id uuid
-- param:  revision bigint
-- param:  cutover bigint
-- column: gate_version bigint
UPDATE environment SET gate_version = gate_version + 1
WHERE id = $1 AND revision = $2 AND cutover = $3
RETURNING gate_version;
