-- A deployment's change of a flag was made, or left.
-- param:  deployment_id uuid
-- param:  environment_id uuid
-- param:  flag text
-- param:  at text
-- param:  state text
-- param:  before jsonb
-- param:  before_revision bigint
-- param:  revision bigint
-- param:  note text
INSERT INTO deployment_flag (deployment_id, environment_id, flag, at, state, before, before_revision, revision, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
