-- The same secret under another key-encryption key.
-- param:  key_id uuid
-- param:  slot int
-- param:  kek text
-- param:  sealed bytea
UPDATE key_secret SET kek = $3, sealed = $4 WHERE key_id = $1 AND slot = $2;
