-- Changes a state by a verb.  A step that the person decided is done by that; refused writes may be tried again.
-- What is taken back again keeps why it is taken back, what is resolved as failed why it was stuck.
-- param:  deployment_id uuid
-- param:  state text
-- param:  pause_requested bool
-- param:  step_done text
-- param:  detail text
-- param:  failure jsonb
WITH decided AS (
    UPDATE step SET state = 'done', detail = $5, ended_at = clock_timestamp() WHERE deployment_id = $1 AND name = $4
), again AS (
    UPDATE intent SET result = 'void', result_at = clock_timestamp()
    WHERE deployment_id = $1 AND result = 'refused' AND $2 IN ('running', 'undoing')
), begun AS (
    UPDATE step SET state = 'pending', detail = NULL, ended_at = NULL, started_at = NULL
    WHERE deployment_id = $1 AND state = 'failed' AND $2 = 'running'
), gone AS (
    DELETE FROM gate_wait WHERE deployment_id = $1 AND $2 <> 'blocked'
)
UPDATE deployment SET state = $2, pause_requested = $3,
       failure = coalesce($6, CASE $2 WHEN 'undoing' THEN nullif(failure->'cause', 'null')
                                      WHEN 'failed' THEN failure END),
       ended_at = CASE WHEN $2 IN ('failed', 'succeeded', 'canceled') THEN clock_timestamp() END
WHERE id = $1;
