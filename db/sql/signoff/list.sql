-- Sign-offs of a release (of one environment or of all), or of a deployment, newest first; those withdrawn, too.
-- param:  release_id uuid
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- param:  after uuid
-- param:  limit bigint
-- column: id uuid
-- column: release_id uuid
-- column: environment_id uuid
-- column: deployment_id uuid
-- column: environment text
-- column: role text
-- column: decision text
-- column: note text
-- column: by jsonb
-- column: content_digest text
-- column: checklist text
-- column: created_at timestamptz
-- column: withdrawn_at timestamptz
-- column: withdrawn_by jsonb
-- column: bound jsonb
SELECT s.id, s.release_id, s.environment_id, s.deployment_id, coalesce(e.name, s.environment_id::text) AS environment, s.role, s.decision, s.note, s.by,
       s.content_digest, s.checklist, s.created_at, s.withdrawn_at, s.withdrawn_by,
       signoff_bound(s.release_id, s.environment_id, s.deployment_id) AS bound
FROM signoff s LEFT JOIN environment e ON e.id = s.environment_id
WHERE ($1::uuid IS NULL OR s.release_id = $1) AND ($2::uuid IS NULL OR s.environment_id = $2) AND s.deployment_id IS NOT DISTINCT FROM $3
  AND ($4::uuid IS NULL OR s.id < $4)
ORDER BY s.id DESC LIMIT $5;
