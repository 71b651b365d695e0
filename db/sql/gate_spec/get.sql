-- What an environment asks for.
-- param:  environment_id uuid
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
SELECT spec, revision, created_at, updated_at FROM environment_gate WHERE environment_id = $1;
