-- The environments of an app by name.
-- param:  app text
-- param:  after text
-- param:  limit bigint
-- column: id uuid
-- column: app text
-- column: name text
-- column: cluster text
-- column: namespace text
-- column: spec jsonb
-- column: revision bigint
-- column: manifests_revision bigint
-- column: created_at timestamptz
-- column: updated_at timestamptz
-- column: cluster_spec jsonb
-- column: cluster_revision bigint
-- column: active_id uuid
-- column: thawed_until timestamptz
SELECT e.id, e.app, e.name, e.cluster, e.namespace, e.spec, e.revision, e.manifests_revision, e.created_at, e.updated_at,
       c.spec AS cluster_spec, c.revision AS cluster_revision,
       (SELECT d.id FROM deployment d
        WHERE d.environment_id = e.id AND d.state IN ('running', 'paused', 'undoing', 'stuck')) AS active_id,
       (SELECT max(b.until) FROM break_glass b WHERE b.environment_id = e.id AND b.until > clock_timestamp()) AS thawed_until
FROM environment e
JOIN cluster c ON c.name = e.cluster
WHERE e.app = $1 AND ($2 IS NULL OR e.name > $2)
ORDER BY e.name
LIMIT $3;
