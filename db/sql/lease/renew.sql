-- Extends all leases of one holder.
-- param:  holder bigint
-- param:  lease_ms bigint
UPDATE environment_lease SET until = clock_timestamp() + $2 * interval '1 millisecond'
WHERE holder = $1 AND until IS NOT NULL;
