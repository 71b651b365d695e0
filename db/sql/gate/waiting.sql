-- Blocked deployments that are to be looked at: something changed, or their time has come; oldest first.
-- No environment_id: their environment is gone.
-- param:  limit bigint
-- column: id uuid
-- column: app text
-- column: environment text
-- column: version_key text
-- column: params jsonb
-- column: environment_id uuid
-- column: gate_version bigint
-- column: now timestamptz
SELECT d.id, d.app, d.environment, ltrim(d.version, 'v') AS version_key, d.plan -> 'params' AS params,
       e.id AS environment_id, e.gate_version, clock_timestamp() AS now
FROM gate_wait w
JOIN deployment d ON d.id = w.deployment_id
LEFT JOIN environment e ON e.id = d.environment_id
WHERE e.id IS NULL OR e.gate_version <> w.gate_version OR w.look_at <= clock_timestamp()
ORDER BY d.id
LIMIT $1;
