-- The last checkpoint (number 0 when there is none), and whether the next one is due.
-- param:  every_s bigint
-- param:  every_records bigint
-- column: number bigint
-- column: hash text
-- column: at timestamptz
-- column: due bool
SELECT coalesce(last.number, 0) AS number, last.hash, clock_timestamp() AS at,
       now.records <> coalesce(last.records, 0) AND (last.number IS NULL
           OR abs(now.records - last.records) >= $2
           OR last.made_at <= clock_timestamp() - make_interval(secs => $1)) AS due
FROM (SELECT coalesce(sum(length), 0)::bigint AS records FROM chain) AS now
LEFT JOIN (SELECT number, made_at, records, hash FROM checkpoint ORDER BY number DESC LIMIT 1) AS last ON true;
