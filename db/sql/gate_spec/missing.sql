-- What is wrong with the names in a spec: templates that are not there, and the environment before, which has to be another
-- one of the app whose own gates do not lead back here (nothing could ever be deployed to either).
-- param:  environment_id uuid
-- param:  spec jsonb
-- column: field text
-- column: code text
-- column: name text
WITH RECURSIVE e AS (
    SELECT app, name, $2::jsonb ->> 'previous_environment' AS previous FROM environment WHERE id = $1
), before AS (
    SELECT p.id, p.name FROM e JOIN environment p ON p.app = e.app AND p.name = e.previous
    UNION
    SELECT p.id, p.name FROM e, before b JOIN environment_gate g ON g.environment_id = b.id
         JOIN environment p ON p.name = g.spec ->> 'previous_environment'
    WHERE p.app = e.app
)
SELECT '/checklist/' || c.key AS field, 'unknown' AS code, c.value AS name
FROM jsonb_each_text($2::jsonb -> 'checklist') c
WHERE NOT EXISTS (SELECT 1 FROM checklist_template t WHERE t.name = c.value)
UNION ALL
SELECT '/previous_environment', CASE WHEN EXISTS (SELECT 1 FROM before) THEN 'conflict' ELSE 'unknown' END, e.previous
FROM e
WHERE e.previous IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM before) OR EXISTS (SELECT 1 FROM before b WHERE b.id = $1))
ORDER BY field;
