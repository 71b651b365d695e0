-- The deployment of a release whose cut-over was committed and that still stands: what is withdrawn now comes too late for it.
-- param:  environment_id uuid
-- param:  release_id uuid
-- column: id uuid
SELECT d.id
FROM (SELECT id, release_id, kind, state, rolled_back_by FROM deployment
      WHERE environment_id = $1 AND started_at IS NOT NULL ORDER BY started_at DESC, id DESC LIMIT 1) d
WHERE d.release_id = $2 AND d.state IN ('running', 'paused', 'stuck', 'succeeded') AND d.rolled_back_by IS NULL
  AND d.kind <> 'rollback'
  AND EXISTS (SELECT 1 FROM intent i WHERE i.deployment_id = d.id AND i.purpose = 'switch' AND i.result IS DISTINCT FROM 'void'
              AND i.result IS DISTINCT FROM 'refused');
