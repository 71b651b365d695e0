-- The receiver took it.
-- param:  number bigint
UPDATE checkpoint_delivery
SET sent = $1, tries = 0, next_at = clock_timestamp(), error = NULL
WHERE sent < $1;
