-- The manifests of an environment, to be written by this transaction.
-- param:  app text
-- param:  name text
-- column: id uuid
-- column: spec jsonb
-- column: manifests text
-- column: manifests_revision bigint
-- column: created_at timestamptz
SELECT id, spec, manifests, manifests_revision, created_at FROM environment
WHERE app = $1 AND name = $2
FOR NO KEY UPDATE;
