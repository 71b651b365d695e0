-- Segments that strategies name and that are not there.
-- param:  app text
-- param:  strategies jsonb
-- column: field text
-- column: name text
SELECT '/strategies/' || (s.n - 1) || '/segments/' || (g.n - 1) AS field, g.name
FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY s (v, n),
     LATERAL jsonb_array_elements_text(s.v -> 'segments') WITH ORDINALITY g (name, n)
WHERE NOT EXISTS (SELECT 1 FROM segment there WHERE there.app = $1 AND there.name = g.name)
ORDER BY s.n, g.n
LIMIT 20;
