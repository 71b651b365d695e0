-- One person counts once: the decision that this person gave before, in whatever role, is withdrawn.
-- param:  release_id uuid
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- param:  by jsonb
-- column: id uuid
-- column: role text
-- column: decision text
UPDATE signoff SET withdrawn_at = clock_timestamp(), withdrawn_by = $4
WHERE release_id = $1 AND environment_id = $2 AND deployment_id IS NOT DISTINCT FROM $3 AND withdrawn_at IS NULL
  AND issuer = $4 ->> 'issuer' AND subject = $4 ->> 'subject'
RETURNING id, role, decision;
