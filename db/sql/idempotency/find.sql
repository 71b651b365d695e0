-- What was answered to a key; no row: nothing yet, or too long ago.
-- param:  issuer text
-- param:  subject text
-- param:  key text
-- column: fingerprint text
-- column: status int
-- column: body text
-- column: location text
-- column: etag text
SELECT fingerprint, status, body, location, etag
FROM idempotency
WHERE issuer = $1 AND subject = $2 AND key = $3 AND expires_at > now();
