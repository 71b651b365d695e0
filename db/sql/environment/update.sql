-- Replaces an environment that this transaction has locked.
-- param:  id uuid
-- param:  cluster text
-- param:  namespace text
-- param:  spec jsonb
UPDATE environment
SET cluster = $2, namespace = $3, spec = $4, revision = revision + 1, updated_at = clock_timestamp()
WHERE id = $1;
