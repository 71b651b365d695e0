-- What is to be taken back in an environment, flag by flag, the last change of each first.
-- param:  environment_id uuid
-- column: deployment_id uuid
-- column: flag text
-- column: at text
-- column: before jsonb
-- column: before_revision bigint
-- column: revision bigint
SELECT deployment_id, flag, at, before, before_revision, revision
FROM deployment_flag
WHERE environment_id = $1 AND due
ORDER BY flag, revision DESC
FOR UPDATE;
