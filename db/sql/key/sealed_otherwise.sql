-- Some secrets that another key-encryption key sealed, to be sealed again by this transaction; after: where the
-- transaction before came to.
-- param:  kek text
-- param:  after_key uuid
-- param:  after_slot int
-- param:  limit bigint
-- column: key_id uuid
-- column: slot int
-- column: kek text
-- column: sealed bytea
SELECT key_id, slot, kek, sealed FROM key_secret
WHERE kek <> $1 AND ($2 IS NULL OR (key_id, slot) > ($2, $3))
ORDER BY key_id, slot
LIMIT $4
FOR UPDATE;
