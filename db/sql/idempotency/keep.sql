-- The answer to a key, once: of the transaction that took it, or (status null, then another keep) of what it began.
-- No row: it has one, or it expired and was used again.
-- param:  issuer text
-- param:  subject text
-- param:  key text
-- param:  fingerprint text
-- param:  status int
-- param:  body text
-- param:  location text
-- param:  etag text
-- column: key text
UPDATE idempotency SET status = $5, body = $6, location = $7, etag = $8
WHERE issuer = $1 AND subject = $2 AND key = $3 AND fingerprint = $4 AND status IS NULL
RETURNING key;
