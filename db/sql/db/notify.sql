-- Tells the other replicas which topics changed.  Its commit takes a database-wide lock: only the notifier sends it.
-- param:  payload text
-- column: pg_notify void
SELECT pg_notify('sluice', $1);
