-- Names that no flag of the app has.
-- param:  app text
-- param:  flags text[]
-- column: field text
-- column: name text
SELECT '/flags/' || (g.n - 1) AS field, g.name
FROM unnest($2::text[]) WITH ORDINALITY g (name, n)
WHERE NOT EXISTS (SELECT 1 FROM flag f WHERE f.app = $1 AND f.name = g.name)
ORDER BY g.n
LIMIT 20;
