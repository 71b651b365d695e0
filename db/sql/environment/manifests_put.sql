-- Replaces the manifests of an environment.  Its revision counts too: a create that read the old ones looks again.
-- param:  id uuid
-- param:  manifests text
-- column: manifests_revision bigint
UPDATE environment
SET manifests = $2, manifests_revision = manifests_revision + 1, revision = revision + 1,
    updated_at = clock_timestamp()
WHERE id = $1
RETURNING manifests_revision;
