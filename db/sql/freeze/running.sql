-- What is active, by place, where a freeze begins, and whether it finishes: because the freeze lets it, its cut-over was
-- committed before, or freezes do not count there.
-- param:  app text
-- param:  environment text
-- param:  let_running_finish bool
-- column: deployment uuid
-- column: app text
-- column: environment text
-- column: finishes bool
SELECT d.id AS deployment, e.app, e.name AS environment,
       $3 OR gate_spec(e.id) -> 'freeze' = 'false'
       OR EXISTS (SELECT 1 FROM break_glass b WHERE b.environment_id = e.id AND b.until > clock_timestamp())
       OR EXISTS (SELECT 1 FROM intent i
                  WHERE i.deployment_id = d.id AND i.purpose = 'switch'
                    AND i.result IS DISTINCT FROM 'void' AND i.result IS DISTINCT FROM 'refused') AS finishes
FROM environment e JOIN deployment d ON d.environment_id = e.id
WHERE d.state IN ('running', 'paused') AND d.kind <> 'rollback'
  AND ($1::text IS NULL OR e.app = $1) AND ($2::text IS NULL OR e.name = $2)
ORDER BY e.app, e.name
LIMIT 200;
