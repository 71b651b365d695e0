-- A deployment that waits for its gates: it holds nothing, and is planned when they open.
-- param:  id uuid
-- param:  environment_id uuid
-- param:  release_id uuid
-- param:  strategy text
-- param:  reason text
-- param:  requested_by jsonb
-- param:  params jsonb
-- param:  look_at timestamptz
-- param:  trace text
-- column: id uuid
WITH made AS (
    INSERT INTO deployment (id, environment_id, app, environment, release_id, version, strategy, kind, state, reason,
                            requested_by, plan, trace)
    SELECT $1, e.id, e.app, e.name, r.id, r.version, $4, 'deploy', 'blocked', $5, $6,
           jsonb_build_object('params', coalesce($7, '{}'), 'target', jsonb_build_object('version', r.version, 'image', r.image)), $9
    FROM environment e, release r WHERE e.id = $2 AND r.id = $3
    RETURNING id
)
INSERT INTO gate_wait (deployment_id, gate_version, look_at)
SELECT m.id, e.gate_version, $8 FROM made m, environment e WHERE e.id = $2
RETURNING deployment_id AS id;
