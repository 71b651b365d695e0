-- What became of a transaction whose COMMIT was not answered.
-- param:  xid xid8
-- column: status text
SELECT pg_xact_status($1) AS status;
