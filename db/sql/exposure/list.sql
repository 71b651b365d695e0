-- What clients said of a flag, by the hour, newest first: per application how often it was on and off, and which variants
-- were given.
-- param:  environment_id uuid
-- param:  flag text
-- param:  hours bigint
-- column: hour timestamptz
-- column: app_name text
-- column: yes bigint
-- column: no bigint
-- column: variants jsonb
-- column: last_at timestamptz
SELECT x.hour, x.app_name,
       coalesce(sum(x.yes) FILTER (WHERE x.variant = ''), 0)::bigint AS yes,
       coalesce(sum(x.no) FILTER (WHERE x.variant = ''), 0)::bigint AS no,
       coalesce(jsonb_object_agg(x.variant, x.yes) FILTER (WHERE x.variant <> ''), '{}') AS variants,
       max(x.last_at) AS last_at
FROM flag_exposure x
WHERE x.environment_id = $1 AND x.flag = $2 AND x.hour > clock_timestamp() - make_interval(hours => $3::int)
GROUP BY x.hour, x.app_name
ORDER BY x.hour DESC, x.app_name
LIMIT 2000;
