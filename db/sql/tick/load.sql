-- What is to be carried in an environment: its active deployment, else a clean-up that is due, with steps and journal.
-- param:  environment_id uuid
-- column: id uuid
-- column: app text
-- column: environment text
-- column: version text
-- column: strategy text
-- column: kind text
-- column: state text
-- column: job text
-- column: plan jsonb
-- column: failure jsonb
-- column: pause_requested bool
-- column: confirmed_age_us bigint
-- column: cluster text
-- column: cluster_spec jsonb
-- column: cluster_revision bigint
-- column: steps jsonb
-- column: intents jsonb
-- column: left_behind jsonb
-- column: trace text
WITH work AS (
    SELECT id, kind, plan FROM deployment
    WHERE environment_id = $1 AND state IN ('running', 'undoing')
    UNION ALL
    SELECT c.deployment_id, 'clean-up',
           d.plan || jsonb_build_object('cleanup', jsonb_build_object('color', c.color, 'workload', c.workload, 'uid', c.uid,
                                                                      'template_hash', c.template_hash))
    FROM cleanup c JOIN deployment d ON d.id = c.deployment_id
    WHERE c.environment_id = $1 AND c.due_at <= clock_timestamp() AND NOT c.awaits_final
      AND NOT EXISTS (SELECT 1 FROM deployment a
                      WHERE a.environment_id = $1 AND a.state IN ('running', 'paused', 'undoing', 'stuck'))
)
SELECT d.id, d.app, d.environment, d.version, d.strategy, w.kind, d.state, d.job, w.plan, d.failure, d.pause_requested,
       age_us(d.confirmed_at) AS confirmed_age_us, c.name AS cluster, c.spec AS cluster_spec, c.revision AS cluster_revision,
       (SELECT jsonb_agg(jsonb_build_object('name', s.name, 'state', s.state, 'detail', s.detail,
                                            'age_us', age_us(s.started_at))
                         ORDER BY s.ordinal)
        FROM step s WHERE s.deployment_id = d.id) AS steps,
       (SELECT jsonb_agg(jsonb_build_object('op', i.op, 'job', i.job, 'step', i.step, 'purpose', i.purpose, 'kind', i.kind,
                                            'name', i.name, 'write', i.write, 'result', i.result,
                                            'resource_version', i.resource_version) ORDER BY i.number)
        FROM intent i WHERE i.deployment_id = d.id) AS intents,
       (SELECT jsonb_agg(jsonb_build_object('kind', l.kind, 'name', l.name, 'deployment', l.deployment_id,
                                            'comparable', l.comparable))
        FROM left_behind l WHERE l.environment_id = $1) AS left_behind,
       d.trace
FROM work w
JOIN deployment d ON d.id = w.id
JOIN environment e ON e.id = d.environment_id
JOIN cluster c ON c.name = e.cluster;
