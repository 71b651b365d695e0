-- The job becomes undo; what runs for the deploy job is fenced by the new epoch.  Of one that is stuck in undo, undo
-- begins anew: every write is made again, and only the new write to the Service confirms it.  Of one that met a lost
-- past a person has seen that by now: undo takes it over.
-- param:  deployment_id uuid
-- param:  failure jsonb
WITH fenced AS (
    UPDATE environment_lease SET epoch = epoch + 1, holder = NULL, until = NULL
    WHERE environment_id = (SELECT environment_id FROM deployment WHERE id = $1)
), stopped AS (
    UPDATE step SET state = 'failed', ended_at = clock_timestamp(), detail = 'aborted'
    WHERE deployment_id = $1 AND state IN ('running', 'waiting')
), anew AS (
    UPDATE intent SET result = 'void', result_at = clock_timestamp()
    WHERE deployment_id = $1 AND job = 'undo' AND result IS DISTINCT FROM 'void'
)
UPDATE deployment SET state = 'undoing', job = 'undo', failure = $2, confirmed_at = NULL,
    plan = CASE WHEN failure->>'code' = 'history-lost' THEN plan || '{"history_lost": true}' ELSE plan END
WHERE id = $1;
