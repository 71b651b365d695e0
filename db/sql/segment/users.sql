-- Flags whose strategies name a segment, and where.
-- param:  app text
-- param:  name text
-- column: flag text
-- column: environment text
SELECT s.flag, e.name AS environment
FROM flag_environment s JOIN environment e ON e.id = s.environment_id
WHERE s.app = $1 AND s.spec -> 'strategies' @> jsonb_build_array(jsonb_build_object('segments', jsonb_build_array($2)))
ORDER BY s.flag, e.name
LIMIT 200;
