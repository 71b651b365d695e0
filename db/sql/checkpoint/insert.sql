-- param:  number bigint
-- param:  made_at timestamptz
-- param:  records bigint
-- param:  chains bigint
-- param:  hash text
-- param:  note text
INSERT INTO checkpoint (number, made_at, records, chains, hash, note)
VALUES ($1, $2, $3, $4, $5, $6);
