-- A key's row, the first statement of its transaction; waits for another one that has it.  No row: it was answered.
-- param:  issuer text
-- param:  subject text
-- param:  key text
-- param:  fingerprint text
-- column: key text
INSERT INTO idempotency AS i (issuer, subject, key, fingerprint)
VALUES ($1, $2, $3, $4)
ON CONFLICT (issuer, subject, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = NULL, body = NULL, location = NULL, etag = NULL,
    expires_at = excluded.expires_at
WHERE i.expires_at <= now()
RETURNING key;
