-- The active deployment of an environment with its steps and its journal.
-- param:  environment_id uuid
-- column: id uuid
-- column: app text
-- column: environment text
-- column: version text
-- column: strategy text
-- column: state text
-- column: job text
-- column: plan jsonb
-- column: failure jsonb
-- column: confirmed_at timestamptz
-- column: created_at timestamptz
-- column: cluster text
-- column: cluster_spec jsonb
-- column: cluster_revision bigint
-- column: steps jsonb
-- column: intents jsonb
SELECT d.id, d.app, d.environment, d.version, d.strategy, d.state, d.job, d.plan, d.failure, d.confirmed_at, d.created_at,
       c.name AS cluster, c.spec AS cluster_spec, c.revision AS cluster_revision,
       (SELECT jsonb_agg(jsonb_build_object('name', s.name, 'state', s.state, 'detail', s.detail,
                                            'started_us', (extract(epoch FROM s.started_at) * 1000000)::bigint)
                         ORDER BY s.ordinal)
        FROM step s WHERE s.deployment_id = d.id) AS steps,
       (SELECT jsonb_agg(jsonb_build_object('op', i.op, 'job', i.job, 'step', i.step, 'purpose', i.purpose, 'kind', i.kind,
                                            'name', i.name, 'write', i.write, 'result', i.result,
                                            'resource_version', i.resource_version) ORDER BY i.number)
        FROM intent i WHERE i.deployment_id = d.id) AS intents
FROM deployment d
JOIN environment e ON e.id = d.environment_id
JOIN cluster c ON c.name = e.cluster
WHERE d.environment_id = $1 AND d.state IN ('running', 'undoing');
