-- What a create needs to know: the environment with its cluster, the release, what is active.
-- param:  app text
-- param:  environment text
-- param:  version_key text
-- column: environment_id uuid
-- column: revision bigint
-- column: cutover bigint
-- column: spec jsonb
-- column: manifests text
-- column: cluster text
-- column: cluster_spec jsonb
-- column: cluster_revision bigint
-- column: release_id uuid
-- column: version text
-- column: image text
-- column: digest text
-- column: flags jsonb
-- column: yanked bool
-- column: active_id uuid
-- column: gated bool
SELECT e.id AS environment_id, e.revision, e.cutover, e.spec, coalesce(r.manifests, e.manifests) AS manifests,
       c.name AS cluster, c.spec AS cluster_spec, c.revision AS cluster_revision,
       r.id AS release_id, r.version, r.image, r.digest, r.flags, r.yanked_at IS NOT NULL AS yanked,
       (SELECT d.id FROM deployment d
        WHERE d.environment_id = e.id AND d.state IN ('running', 'paused', 'undoing', 'stuck')) AS active_id,
       EXISTS (SELECT 1 FROM environment_gate g WHERE g.environment_id = e.id) AS gated
FROM environment e
JOIN cluster c ON c.name = e.cluster
LEFT JOIN release r ON r.app = e.app AND r.version_key = $3
WHERE e.app = $1 AND e.name = $2;
