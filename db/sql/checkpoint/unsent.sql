-- The receiver did not take it: again after a pause that doubles with each try, at most a minute, less up to half of it.
-- param:  number bigint
-- param:  error text
UPDATE checkpoint_delivery
SET tries = tries + 1, error = $2,
    next_at = clock_timestamp() + make_interval(secs => least(60, 0.5 * 2 ^ least(tries, 10)) * (1 - random() / 2))
WHERE sent < $1;
