-- Of an environment, newest first: one by its id, or all.  deployments: what started or was cut over while it was open.
-- param:  environment_id uuid
-- param:  id uuid
-- param:  after uuid
-- param:  limit bigint
-- column: id uuid
-- column: state text
-- column: reason text
-- column: duration_s int
-- column: requested_by jsonb
-- column: requested_at timestamptz
-- column: confirmed_by jsonb
-- column: confirmed_at timestamptz
-- column: until timestamptz
-- column: deployments jsonb
SELECT b.id, break_glass_state(b, clock_timestamp()) AS state, b.reason, b.duration_s, b.requested_by, b.requested_at,
       b.confirmed_by, b.confirmed_at, b.until,
       (SELECT coalesce(jsonb_agg(d.id ORDER BY d.id), '[]') FROM deployment d
        WHERE d.environment_id = b.environment_id AND d.kind <> 'rollback'
          AND (d.started_at BETWEEN b.confirmed_at AND b.until
               OR EXISTS (SELECT 1 FROM intent i WHERE i.deployment_id = d.id AND i.purpose = 'switch'
                          AND i.created_at BETWEEN b.confirmed_at AND b.until))) AS deployments
FROM break_glass b
WHERE b.environment_id = $1
  AND ($2::uuid IS NULL OR b.id = $2)
  AND ($3::uuid IS NULL OR b.id < $3)
ORDER BY b.id DESC
LIMIT $4;
