-- Replaces what an environment asks for, or makes it; this transaction has the environment locked.
-- param:  environment_id uuid
-- param:  spec jsonb
-- column: spec jsonb
-- column: revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
INSERT INTO environment_gate AS g (environment_id, spec) VALUES ($1, $2)
ON CONFLICT (environment_id) DO UPDATE
    SET spec = excluded.spec, revision = g.revision + 1, updated_at = clock_timestamp()
RETURNING spec, revision, created_at, updated_at;
