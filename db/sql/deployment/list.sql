-- Deployments, newest first; apps: those that the caller may see, null for all.
-- param:  after uuid
-- param:  apps text[]
-- param:  app text
-- param:  environment text
-- param:  state text
-- param:  version_key text
-- param:  limit bigint
-- column: id uuid
-- column: environment_id uuid
-- column: app text
-- column: environment text
-- column: version text
-- column: strategy text
-- column: kind text
-- column: state text
-- column: reason text
-- column: requested_by jsonb
-- column: from jsonb
-- column: to jsonb
-- column: current_step text
-- column: failure jsonb
-- column: acceptance text
-- column: rolled_back_by uuid
-- column: rollback_of uuid
-- column: confirmed_at timestamptz
-- column: created_at timestamptz
-- column: started_at timestamptz
-- column: ended_at timestamptz
-- column: steps json
SELECT d.id, d.environment_id, d.app, d.environment, d.version, d.strategy, d.kind, d.state, d.reason, d.requested_by,
       d.plan -> 'from' AS "from", d.plan -> 'target' AS "to", d.current_step, d.failure, d.acceptance,
       d.rolled_back_by, d.rollback_of, d.confirmed_at, d.created_at, d.started_at, d.ended_at,
       (SELECT json_agg(json_build_object(
                   'name', s.name, 'title', s.title, 'state', s.state, 'attempt', s.attempt,
                   'started_at', to_char(s.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                   'ended_at', to_char(s.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                   'detail', s.detail) ORDER BY s.ordinal)
        FROM step s WHERE s.deployment_id = d.id) AS steps
FROM deployment d
WHERE ($1 IS NULL OR d.id < $1)
  AND ($2 IS NULL OR d.app = ANY ($2))
  AND ($3 IS NULL OR d.app = $3)
  AND ($4 IS NULL OR d.environment = $4)
  AND ($5 IS NULL OR d.state = $5)
  AND ($6 IS NULL OR ltrim(d.version, 'v') = $6)
ORDER BY d.id DESC
LIMIT $7;
