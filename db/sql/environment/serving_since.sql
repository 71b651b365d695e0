-- When traffic last came to a color by a write of ours: by a switch, or by an undo that took a switch back.
-- param:  environment_id uuid
-- param:  selector_key text
-- param:  color text
-- column: since timestamptz
SELECT max(i.result_at) AS since
FROM intent i JOIN deployment d ON d.id = i.deployment_id
WHERE d.environment_id = $1 AND i.kind = 'Service' AND i.result = 'done'
  AND i.write #>> ARRAY['body', 'spec', 'selector', $2] = $3
  AND EXISTS (SELECT 1 FROM intent s WHERE s.deployment_id = i.deployment_id AND s.purpose = 'switch');
