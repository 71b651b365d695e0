-- One migration at a time per database; the lock ends with the session.
-- param:  key bigint
-- column: locked bool
SELECT pg_try_advisory_lock($1) AS locked;
