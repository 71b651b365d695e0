-- A key, to be changed by this transaction.
-- param:  id uuid
-- column: id uuid
SELECT id FROM key WHERE id = $1 FOR UPDATE;
