-- Adds counts to their hours.  What belongs to no environment any more is left out.
-- param:  counts jsonb
INSERT INTO flag_exposure (environment_id, flag, app_name, hour, variant, yes, no, last_at)
SELECT c.environment_id, c.flag, c.app_name, c.hour, c.variant, c.yes, c.no, clock_timestamp()
FROM jsonb_to_recordset($1) AS c (environment_id uuid, flag text, app_name text, hour timestamptz, variant text,
                                  yes bigint, no bigint)
JOIN environment e ON e.id = c.environment_id
ORDER BY 1, 2, 4, 3, 5 -- two servers that add to the same rows take them in one order
ON CONFLICT (environment_id, flag, hour, app_name, variant) DO UPDATE
    SET yes = flag_exposure.yes + excluded.yes, no = flag_exposure.no + excluded.no, last_at = excluded.last_at;
