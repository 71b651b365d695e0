-- Checkpoints after a number, oldest first.
-- param:  after bigint
-- param:  limit bigint
-- column: number bigint
-- column: made_at timestamptz
-- column: records bigint
-- column: chains bigint
-- column: hash text
-- column: note text
SELECT number, made_at, records, chains, hash, note
FROM checkpoint
WHERE number > $1
ORDER BY number
LIMIT $2;
