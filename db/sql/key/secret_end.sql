-- Lets the secrets of a key that are older than a slot end at a time, or when they would have ended anyway.
-- param:  key_id uuid
-- param:  slot int
-- param:  overlap_s bigint
UPDATE key_secret SET expires_at = least(expires_at, clock_timestamp() + make_interval(secs => $3))
WHERE key_id = $1 AND slot < $2;
