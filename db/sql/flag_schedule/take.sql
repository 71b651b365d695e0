-- One schedule, for the transaction that ends it.  No row: somebody else was faster.
-- param:  id uuid
-- column: change jsonb
-- column: if_revision bigint
-- column: reason text
-- column: created_by jsonb
-- column: there bool
-- column: asked bool
SELECT s.change, s.if_revision, s.reason, s.created_by,
       EXISTS (SELECT 1 FROM environment e JOIN flag f ON f.app = e.app
               WHERE e.id = s.environment_id AND f.name = s.flag AND f.created_at = s.flag_created_at) AS there,
       flag_approvals_asked(s.environment_id) IS NOT NULL AS asked
FROM flag_schedule s
WHERE s.id = $1 AND s.state = 'pending'
FOR UPDATE OF s;
