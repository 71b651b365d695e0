-- The transaction of one tick; false when the lease is not ours any more.
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- param:  epoch bigint
-- param:  holder bigint
-- param:  changes jsonb
-- column: held bool
SELECT tick_commit($1, $2, $3, $4, $5) AS held;
