-- Whether nobody else is making a checkpoint: held until this transaction ends.
-- param:  class int
-- param:  key int
-- column: mine bool
SELECT pg_try_advisory_xact_lock($1, $2) AS mine;
