-- When a client last asked for a flag in an environment; null: nobody did, as far as is known.
-- param:  environment_id uuid
-- param:  flag text
-- column: last_at timestamptz
SELECT (SELECT x.last_at FROM flag_exposure x WHERE x.environment_id = $1 AND x.flag = $2
        ORDER BY x.hour DESC, x.last_at DESC LIMIT 1) AS last_at;
