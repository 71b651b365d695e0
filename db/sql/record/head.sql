-- How many chains there are, how many records, and the age of the last one (null: there is none).
-- column: chains bigint
-- column: records bigint
-- column: age_s float8
SELECT count(*) AS chains, coalesce(sum(length), 0)::bigint AS records,
       (SELECT extract(epoch FROM clock_timestamp() - at)::float8
        FROM record ORDER BY xid DESC, chain DESC, seq DESC LIMIT 1) AS age_s
FROM chain;
