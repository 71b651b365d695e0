-- Ends what is active in favour of a rollback; of what succeeded only who took it back is noted.
-- param:  deployment_id uuid
-- param:  rolled_back_by uuid
-- param:  ends bool
WITH stopped AS (
    UPDATE step SET state = 'failed', detail = 'rolled back', ended_at = clock_timestamp()
    WHERE deployment_id = $1 AND state IN ('running', 'waiting') AND $3
)
UPDATE deployment SET rolled_back_by = $2, state = CASE WHEN $3 THEN 'rolled_back' ELSE state END,
       ended_at = CASE WHEN $3 THEN clock_timestamp() ELSE ended_at END
WHERE id = $1;
