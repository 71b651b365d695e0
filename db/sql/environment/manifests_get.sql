-- The manifests of an environment.
-- param:  app text
-- param:  name text
-- column: id uuid
-- column: spec jsonb
-- column: manifests text
-- column: manifests_revision bigint
-- column: created_at timestamptz
SELECT id, spec, manifests, manifests_revision, created_at FROM environment WHERE app = $1 AND name = $2;
