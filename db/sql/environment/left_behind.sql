-- What the last write to each shared object of an environment left of it; and in each row, of which there is always one,
-- when traffic last came to a color by a write of ours: by a switch, or by an undo that took a switch back.
-- param:  environment_id uuid
-- param:  selector_key text
-- param:  color text
-- column: since timestamptz
-- column: kind text
-- column: name text
-- column: comparable text
-- column: resource_version text
-- column: age_us bigint
SELECT s.since, l.kind, l.name, l.comparable, l.resource_version, age_us(l.at) AS age_us
FROM (SELECT max(i.result_at) AS since
      FROM intent i JOIN deployment d ON d.id = i.deployment_id
      WHERE d.environment_id = $1 AND i.kind = 'Service' AND i.result = 'done'
        AND i.write #>> ARRAY['body', 'spec', 'selector', $2] = $3
        AND EXISTS (SELECT 1 FROM intent w WHERE w.deployment_id = i.deployment_id AND w.purpose = 'switch')) s
LEFT JOIN left_behind l ON l.environment_id = $1
ORDER BY l.kind DESC, l.name;
