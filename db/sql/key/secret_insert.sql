-- A secret of a key.
-- param:  key_id uuid
-- param:  slot int
-- param:  kek text
-- param:  sealed bytea
INSERT INTO key_secret (key_id, slot, kek, sealed) VALUES ($1, $2, $3, $4);
