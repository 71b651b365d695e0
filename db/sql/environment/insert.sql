-- A new environment; no row when somebody else made it just now.
-- param:  id uuid
-- param:  app text
-- param:  name text
-- param:  cluster text
-- param:  namespace text
-- param:  spec jsonb
-- column: id uuid
INSERT INTO environment (id, app, name, cluster, namespace, spec) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING id;
