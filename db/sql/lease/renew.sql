-- Extends the leases that one holder carries.  One that nothing of it carries runs out, so that it is found again.
-- param:  holder bigint
-- param:  lease_ms bigint
-- param:  environments uuid[]
UPDATE environment_lease SET until = clock_timestamp() + $2 * interval '1 millisecond'
WHERE holder = $1 AND until IS NOT NULL AND environment_id = ANY ($3);
