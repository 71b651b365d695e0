-- What is wrong between a flag as it is to be and the others: flags that it depends on and that are not there, chains of
-- dependencies (at most one link, so that there is no circle), and variants that environments still fall back on.
-- param:  app text
-- param:  name text
-- param:  spec jsonb
-- column: field text
-- column: code text
-- column: name text
SELECT '/dependencies/' || (d.n - 1) || '/flag' AS field, CASE WHEN f.name IS NULL THEN 'unknown' ELSE 'conflict' END AS code,
       d.v ->> 'flag' AS name
FROM jsonb_array_elements($3::jsonb -> 'dependencies') WITH ORDINALITY d (v, n)
LEFT JOIN flag f ON f.app = $1 AND f.name = d.v ->> 'flag'
WHERE f.name IS NULL OR jsonb_array_length(f.spec -> 'dependencies') > 0
UNION ALL
SELECT '/dependencies', 'in-use', f.name
FROM flag f
WHERE f.app = $1 AND f.spec -> 'dependencies' @> jsonb_build_array(jsonb_build_object('flag', $2))
  AND jsonb_array_length($3::jsonb -> 'dependencies') > 0
UNION ALL
SELECT '/variants', 'in-use', e.name
FROM flag_environment s JOIN environment e ON e.id = s.environment_id
WHERE s.app = $1 AND s.flag = $2 AND s.spec ->> 'default_variant' IS NOT NULL
  AND NOT $3::jsonb -> 'variants' @> jsonb_build_array(jsonb_build_object('name', s.spec -> 'default_variant'))
ORDER BY field, name
LIMIT 20;
