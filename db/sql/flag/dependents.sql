-- Flags that depend on one.
-- param:  app text
-- param:  name text
-- column: flag text
SELECT name AS flag FROM flag
WHERE app = $1 AND spec -> 'dependencies' @> jsonb_build_array(jsonb_build_object('flag', $2))
ORDER BY name
LIMIT 200;
