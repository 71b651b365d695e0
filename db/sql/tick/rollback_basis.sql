-- The deployment whose `from` is to be returned to: of this id, or the latest that left this version and recorded what it ran as.
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- param:  version text
-- column: id uuid
-- column: state text
-- column: plan jsonb
-- column: overtaken bool
SELECT d.id, d.state, d.plan,
       EXISTS (SELECT 1 FROM deployment l WHERE l.environment_id = $1 AND l.id > d.id AND l.state = 'succeeded'
                 AND (l.plan->'target'->>'color', l.version) IS DISTINCT FROM (d.plan->'target'->>'color', d.version)) AS overtaken
FROM deployment d
WHERE d.environment_id = $1 AND d.started_at IS NOT NULL
  AND ($2 IS NULL OR d.id = $2)
  AND ($3 IS NULL OR ltrim(d.plan->'from'->>'version', 'v') = ltrim($3, 'v')
       AND d.plan #> '{resolved,from,template}' IS NOT NULL)
ORDER BY d.started_at DESC, d.id DESC LIMIT 1;
