-- Begins a rollback or a traffic deployment; its release is known only where one describes the version.
-- param:  id uuid
-- param:  environment_id uuid
-- param:  kind text
-- param:  version text
-- param:  reason text
-- param:  requested_by jsonb
-- param:  plan jsonb
-- param:  rollback_of uuid
-- param:  steps jsonb
-- param:  trace text
WITH begun AS (
    INSERT INTO deployment (id, environment_id, app, environment, release_id, version, strategy, kind, state, reason,
                            requested_by, plan, trace, rollback_of, started_at)
    SELECT $1, e.id, e.app, e.name,
           (SELECT r.id FROM release r WHERE r.app = e.app AND r.version_key = ltrim($4, 'v')),
           $4, e.spec->>'strategy', $3, 'running', $5, $6, $7, $10, $8, clock_timestamp()
    FROM environment e WHERE e.id = $2
    RETURNING id
)
INSERT INTO step (deployment_id, ordinal, name, title)
SELECT begun.id, s.n, s.row->>'name', s.row->>'title'
FROM begun, jsonb_array_elements($9) WITH ORDINALITY AS s(row, n);
