-- The transaction's id once it wrote something: what tells after a lost COMMIT what became of it.
-- column: xid xid8
SELECT pg_current_xact_id_if_assigned() AS xid;
