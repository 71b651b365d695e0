-- Takes the lease of an environment, if it is free or ours already; taking it increments the epoch.
-- param:  environment_id uuid
-- param:  holder bigint
-- param:  lease_ms bigint
-- column: epoch bigint
UPDATE environment_lease SET epoch = epoch + 1, holder = $2, until = clock_timestamp() + $3 * interval '1 millisecond'
WHERE environment_id = (SELECT l.environment_id FROM environment_lease l
                        WHERE l.environment_id = $1 AND (l.holder = $2 OR lease_is_free(l))
                        FOR NO KEY UPDATE SKIP LOCKED)
RETURNING epoch;
