-- Drops a few keys that have expired; those that somebody is about to use again are left.
-- param:  limit bigint
-- column: key text
DELETE FROM idempotency
WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE expires_at <= now()
                        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING key;
