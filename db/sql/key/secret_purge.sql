-- Forgets the secrets of a key that have ended.
-- param:  key_id uuid
DELETE FROM key_secret WHERE key_id = $1 AND expires_at <= clock_timestamp();
