-- Bound to the content and the checklist as they are now.
-- param:  id uuid
-- param:  release_id uuid
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- param:  role text
-- param:  decision text
-- param:  note text
-- param:  by jsonb
INSERT INTO signoff (id, release_id, environment_id, deployment_id, role, decision, note, by, content_digest, checklist)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, b.bound ->> 'content_digest', b.bound ->> 'checklist'
FROM signoff_bound($2, $3, $4) b (bound);
