-- The deployment of an environment that was active last, however it ended.
-- param:  environment_id uuid
-- column: id uuid
-- column: kind text
-- column: state text
-- column: version text
-- column: plan jsonb
-- column: rollback_of uuid
-- column: switched bool
-- column: wrote bool
-- column: history_lost bool
SELECT d.id, d.kind, d.state, d.version, d.plan, d.rollback_of,
       EXISTS (SELECT 1 FROM intent i WHERE i.deployment_id = d.id AND i.purpose IN ('switch', 'switch-back'))
       AND NOT EXISTS (SELECT 1 FROM intent i WHERE i.deployment_id = d.id AND i.purpose = 'restore-service') AS switched,
       EXISTS (SELECT 1 FROM intent i WHERE i.deployment_id = d.id AND i.job <> 'clean-up') AS wrote,
       coalesce(d.failure->>'code' = 'history-lost', false) OR d.plan ? 'history_lost' AS history_lost
FROM deployment d WHERE d.environment_id = $1 AND d.started_at IS NOT NULL
ORDER BY d.started_at DESC, d.id DESC LIMIT 1 FOR NO KEY UPDATE;
