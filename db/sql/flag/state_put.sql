-- Says what a flag is in an environment; this transaction holds the lock.
-- param:  environment_id uuid
-- param:  app text
-- param:  flag text
-- param:  enabled bool
-- param:  killed bool
-- param:  spec jsonb
-- param:  revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
INSERT INTO flag_environment (environment_id, app, flag, enabled, killed, spec, revision) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (environment_id, flag) DO UPDATE
    SET enabled = excluded.enabled, killed = excluded.killed, spec = excluded.spec, revision = excluded.revision,
        updated_at = clock_timestamp()
RETURNING created_at, updated_at;
