-- The answer of the transaction that took the key, its last statement.
-- param:  issuer text
-- param:  subject text
-- param:  key text
-- param:  status int
-- param:  body text
-- param:  location text
-- param:  etag text
UPDATE idempotency SET status = $4, body = $5, location = $6, etag = $7
WHERE issuer = $1 AND subject = $2 AND key = $3;
