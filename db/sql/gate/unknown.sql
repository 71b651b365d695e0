-- Environments of an app (one by its name, or all) where nothing was noted yet of what the gate says of a release.
-- param:  release_id uuid
-- param:  app text
-- param:  environment text
-- column: environment_id uuid
SELECT e.id AS environment_id
FROM environment e
WHERE e.app = $2 AND ($3::text IS NULL OR e.name = $3)
  AND NOT EXISTS (SELECT 1 FROM gate_state s WHERE s.environment_id = e.id AND s.release_id = $1)
ORDER BY e.id;
