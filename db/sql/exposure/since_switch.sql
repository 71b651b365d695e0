-- What clients said of the flags that a deployment's release declares, since traffic was switched to it: from the beginning of
-- that hour, null where it was not.  No flag: it declares none.  No row: there is no such deployment.
-- param:  deployment_id uuid
-- column: since timestamptz
-- column: flag text
-- column: yes bigint
-- column: no bigint
-- column: variants jsonb
-- column: last_at timestamptz
WITH d AS (
    SELECT d.environment_id, d.release_id,
           (SELECT date_trunc('hour', min(i.result_at), 'UTC') FROM intent i
            WHERE i.deployment_id = d.id AND i.job = d.kind AND i.purpose = 'switch' AND i.result = 'done') AS since
    FROM deployment d WHERE d.id = $1
), f AS (
    SELECT DISTINCT c ->> 'flag' AS flag FROM d JOIN release r ON r.id = d.release_id, jsonb_array_elements(r.flags) c
), x AS (
    SELECT x.flag, x.variant, sum(x.yes)::bigint AS yes, sum(x.no)::bigint AS no, max(x.last_at) AS last_at
    FROM d JOIN flag_exposure x ON x.environment_id = d.environment_id AND x.hour >= d.since
    WHERE x.flag IN (SELECT flag FROM f)
    GROUP BY x.flag, x.variant
)
SELECT d.since, f.flag,
       coalesce(sum(x.yes) FILTER (WHERE x.variant = ''), 0)::bigint AS yes,
       coalesce(sum(x.no) FILTER (WHERE x.variant = ''), 0)::bigint AS no,
       coalesce(jsonb_object_agg(x.variant, x.yes) FILTER (WHERE x.variant <> ''), '{}') AS variants,
       max(x.last_at) AS last_at
FROM d LEFT JOIN f ON true LEFT JOIN x ON x.flag = f.flag
GROUP BY d.since, f.flag
ORDER BY f.flag;
