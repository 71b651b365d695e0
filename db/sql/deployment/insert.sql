-- A deployment with its steps, and the lease row of its environment; steps: [{name, title}].  A clean-up that holds the
-- lease is fenced off: it gives way, and any replica may take the deployment up at once.
-- No row when the release was yanked.
-- param:  id uuid
-- param:  environment_id uuid
-- param:  app text
-- param:  environment text
-- param:  release_id uuid
-- param:  strategy text
-- param:  reason text
-- param:  requested_by jsonb
-- param:  plan jsonb
-- param:  steps jsonb
-- param:  trace text
-- column: id uuid
WITH lease AS (
    INSERT INTO environment_lease (environment_id) VALUES ($2)
    ON CONFLICT (environment_id) DO UPDATE SET epoch = environment_lease.epoch + 1, holder = NULL, until = NULL
), made AS (
    INSERT INTO deployment (id, environment_id, app, environment, release_id, version, strategy, kind, state, reason,
                            requested_by, plan, trace, current_step, started_at)
    SELECT $1, $2, $3, $4, r.id, r.version, $6, 'deploy', 'running', $7, $8, $9, $11, $10 -> 0 ->> 'name', clock_timestamp()
    FROM release r WHERE r.id = $5 AND r.yanked_at IS NULL
    RETURNING id
), steps AS (
    INSERT INTO step (deployment_id, ordinal, name, title)
    SELECT m.id, s.ordinal, s.step ->> 'name', s.step ->> 'title'
    FROM made m, jsonb_array_elements($10) WITH ORDINALITY AS s (step, ordinal)
)
SELECT id FROM made;
