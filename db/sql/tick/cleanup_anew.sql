-- A clean-up never resumes what an earlier one intended: whatever held the environment since may serve from that color.
-- No row when the lease is not ours any more.
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- param:  epoch bigint
-- param:  holder bigint
-- column: held bool
WITH held AS (
    SELECT true AS held FROM environment_lease
    WHERE environment_id = $1 AND epoch = $3 AND holder = $4 FOR NO KEY UPDATE
), anew AS (
    UPDATE intent SET result = 'void', result_at = clock_timestamp()
    WHERE deployment_id = $2 AND job = 'clean-up' AND result IS DISTINCT FROM 'void' AND EXISTS (SELECT 1 FROM held)
)
SELECT held FROM held;
