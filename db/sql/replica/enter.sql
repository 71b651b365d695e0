-- Takes a new number and its session-level advisory lock: it is free once this replica's process is dead.
-- column: number bigint
-- column: locked bool
WITH taken AS MATERIALIZED (SELECT nextval('replica_number') AS number)
SELECT number, pg_try_advisory_lock(1397510483, number::int) AS locked FROM taken;
