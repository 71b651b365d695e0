-- What sign-offs are about now, and who may not approve: {content_digest, checklist, authors [{subject, issuer, did}]}.
-- param:  release_id uuid
-- param:  environment_id uuid
-- param:  deployment_id uuid
-- column: bound jsonb
SELECT signoff_bound($1, $2, $3) AS bound;
