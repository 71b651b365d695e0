-- The last checkpoint (number 0 when there is none), what is not under one yet, and how sending goes.
-- column: number bigint
-- column: made_at timestamptz
-- column: age_s float8
-- column: records_since bigint
-- column: sent bigint
-- column: tries int
-- column: error text
SELECT coalesce(last.number, 0) AS number, last.made_at,
       extract(epoch FROM clock_timestamp() - last.made_at)::float8 AS age_s,
       now.records - coalesce(last.records, 0) AS records_since, d.sent, d.tries, d.error
FROM (SELECT coalesce(sum(length), 0)::bigint AS records FROM chain) AS now
CROSS JOIN checkpoint_delivery AS d
LEFT JOIN (SELECT number, made_at, records FROM checkpoint ORDER BY number DESC LIMIT 1) AS last ON true;
