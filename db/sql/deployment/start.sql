-- A blocked deployment becomes active: as insert.sql begins one.  No row: it is not blocked any more.
-- param:  id uuid
-- param:  plan jsonb
-- param:  steps jsonb
-- column: environment_id uuid
WITH begun AS (
    UPDATE deployment SET state = 'running', plan = $2, current_step = $3 -> 0 ->> 'name', started_at = clock_timestamp()
    WHERE id = $1 AND state = 'blocked'
    RETURNING id, environment_id
), gone AS (
    DELETE FROM gate_wait w USING begun b WHERE w.deployment_id = b.id
), lease AS (
    INSERT INTO environment_lease (environment_id) SELECT environment_id FROM begun
    ON CONFLICT (environment_id) DO UPDATE SET epoch = environment_lease.epoch + 1, holder = NULL, until = NULL
), steps AS (
    INSERT INTO step (deployment_id, ordinal, name, title)
    SELECT b.id, s.ordinal, s.step ->> 'name', s.step ->> 'title'
    FROM begun b, jsonb_array_elements($3) WITH ORDINALITY AS s (step, ordinal)
)
SELECT environment_id FROM begun;
