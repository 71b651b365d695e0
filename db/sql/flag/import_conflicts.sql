-- What is wrong between flags (as they are by now) and others: chains of dependencies (at most one link, so that there is no
-- circle), and variants that environments still fall back on.  flag: which of them.
-- param:  app text
-- param:  flags text[]
-- column: flag text
-- column: code text
-- column: one text
-- column: other text
SELECT CASE WHEN f.name = ANY ($2) THEN f.name ELSE p.name END AS flag, 'conflict' AS code, f.name AS one, p.name AS other
FROM flag f, LATERAL jsonb_array_elements(f.spec -> 'dependencies') d (v)
JOIN flag p ON p.app = $1 AND p.name = d.v ->> 'flag'
WHERE f.app = $1 AND jsonb_array_length(p.spec -> 'dependencies') > 0 AND (f.name = ANY ($2) OR p.name = ANY ($2))
UNION ALL
SELECT s.flag, 'in-use', e.name, s.spec ->> 'default_variant'
FROM flag_environment s JOIN environment e ON e.id = s.environment_id JOIN flag f ON f.app = s.app AND f.name = s.flag
WHERE s.app = $1 AND s.flag = ANY ($2) AND s.spec ->> 'default_variant' IS NOT NULL
  AND NOT f.spec -> 'variants' @> jsonb_build_array(jsonb_build_object('name', s.spec -> 'default_variant'))
ORDER BY flag, one, other
LIMIT 20;
