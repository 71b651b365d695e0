-- Claims Services and workloads of a cluster for one environment (law 1); objects: [{kind, name}].
-- Answers with those that another environment has.
-- param:  id uuid
-- param:  cluster_uid text
-- param:  namespace text
-- param:  objects jsonb
-- column: kind text
-- column: name text
-- column: app text
-- column: environment text
WITH wanted AS (
    SELECT o.kind, o.name FROM jsonb_to_recordset($4) AS o (kind text, name text)
), claimed AS (
    INSERT INTO environment_object (cluster_uid, namespace, kind, name, environment_id)
    SELECT $2, $3, kind, name, $1 FROM wanted ORDER BY kind, name
    ON CONFLICT DO NOTHING
    RETURNING kind, name
)
SELECT w.kind, w.name, e.app, e.name AS environment
FROM wanted w
LEFT JOIN environment_object o
    ON o.cluster_uid = $2 AND o.namespace = $3 AND o.kind = w.kind AND o.name = w.name
LEFT JOIN environment e ON e.id = o.environment_id
WHERE NOT EXISTS (SELECT FROM claimed c WHERE c.kind = w.kind AND c.name = w.name)
ORDER BY w.kind, w.name;
