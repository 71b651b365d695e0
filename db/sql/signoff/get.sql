-- One sign-off, with what sign-offs like it are about now.
-- param:  id uuid
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
WHERE s.id = $1;
