-- A secret of a key: sealed with the key-encryption key that kek names, or its digest.
-- param:  key_id uuid
-- param:  slot int
-- param:  kek text
-- param:  sealed bytea
-- param:  digest bytea
INSERT INTO key_secret (key_id, slot, kek, sealed, digest) VALUES ($1, $2, $3, $4, $5);
